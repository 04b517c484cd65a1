import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parseTar } from 'nanotar'
import { unavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import { limitConcurrency } from './limit-concurrency.ts'
import { NO_COMPILER, OPA_VERSION } from './opa-binary.ts'
import { readProblemLines, readProblems } from './opa-problems.ts'
import type { PolicyProblem } from './policy-problem.ts'

/** A Rego file; the path is relative to the policy's folder, with slashes. */
export type PolicyModule = { readonly path: string; readonly source: string }
export type OpaResult<Value> = ({ readonly ok: true } & Value) | OpaRefusal
export type OpaRefusal = { readonly ok: false; readonly problems: readonly PolicyProblem[] }

export type Opa = {
  /** The compiler's own version, as `1.22.2`. Throws, saying what to install, where there is none. */
  version(): Promise<string>
  /** `opa parse`: the module's syntax tree with the place of every node, as the JSON that OPA writes. */
  parse(module: PolicyModule): Promise<OpaResult<{ readonly tree: unknown }>>
  /** `opa check --strict` against an input schema (JSON Schema) and capabilities, both as JSON text. */
  check(
    modules: readonly PolicyModule[],
    options: { readonly schema: string; readonly capabilities: string },
  ): Promise<OpaResult<object>>
  /** `opa build -t wasm`, unoptimised: the WASM of an entrypoint such as `claimgate/verdict`. */
  build(
    modules: readonly PolicyModule[],
    options: { readonly entrypoint: string; readonly capabilities: string },
  ): Promise<OpaResult<{ readonly wasm: Uint8Array }>>
}

export type OpaDeps = {
  readonly binary: string
  readonly log: Log
  readonly timeoutMs?: number
}

type Run = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

const TIMEOUT_MS = 4_000 // a compilation takes 40 ms; what takes this long was made to
/** It takes 13 ms; a text nested a thousand times takes minutes to be written out. Both together end before an answer must. */
const PARSE_TIMEOUT_MS = 3_000
/**
 * One thread, and no collection below Go's soft limit: a compilation takes 45 MB and ends after as many milliseconds, of
 * whose processor time collections took a quarter (measured).
 */
const GO_RUNTIME = { GOMEMLIMIT: '512MiB', GOGC: 'off', GOMAXPROCS: '1' }
const MAX_SOURCE_BYTES = 256 * 1024
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024 // a syntax tree's; reading it takes 60 ms in which nothing else is served
const MAX_BUNDLE_BYTES = 64 * 1024 * 1024 // unpacked; a policy is 180 KB
const RUNNING = 2
const WAITING = 100
const WAIT_MS = 8_000 // by then most callers have been told to try again, and nobody waits for what is compiled

/**
 * Runs OPA's command line, the only file that does: a child process for each call, which is also its sandbox (empty
 * environment, a folder of its own, a deadline). Throws `unavailable` when too many wait or the process cannot run.
 */
export function createOpa({ binary, log, timeoutMs = TIMEOUT_MS }: OpaDeps): Opa {
  const limit = limitConcurrency(
    RUNNING,
    WAITING,
    'Too many policies are being compiled; try again.',
    WAIT_MS,
  )
  let hasWarned = false
  let versionRun: ReturnType<typeof run> | undefined
  const run = (args: readonly string[], cwd: string, within = timeoutMs) => runOpa(binary, args, cwd, within)

  async function compile<Value extends object>(
    modules: readonly PolicyModule[],
    files: Readonly<Record<string, string>>,
    args: readonly string[],
    read: (folder: string, result: Run) => Promise<OpaResult<Value>>,
    within = timeoutMs,
  ): Promise<OpaResult<Value>> {
    const tooLarge = sizeProblem(modules)
    if (tooLarge !== undefined) return refused([tooLarge])
    return limit(() =>
      inFolder(modules, files, async (folder) => {
        const paths = modules.map(({ path }) => `./${path}`)
        const result = await run([...args, ...paths], join(folder, 'policy'), within)
        if (result === 'timeout') return refused([timeoutProblem(modules, within)])
        if (result === 'overflow') return refused([overflowProblem(modules)])
        if (result.exitCode > 1) log.warn({ exitCode: result.exitCode, stderr: result.stderr }, 'opa failed')
        return read(folder, result)
      }),
    )
  }

  return {
    async version() {
      // Not behind compilations: whether the service is ready is asked by it. Who asks at once shares the answer.
      versionRun ??= run(['version'], tmpdir()).finally(() => (versionRun = undefined))
      const result = await versionRun
      const found = typeof result === 'string' ? undefined : /^Version: (\S+)$/m.exec(result.stdout)?.[1]
      if (found === undefined)
        throw unavailable(NO_COMPILER, new Error(`${binary} does not say its version.`))
      if (found !== OPA_VERSION && !hasWarned) {
        log.warn({ found, expected: OPA_VERSION }, 'the Rego compiler has another version')
        hasWarned = true
      }
      return found
    },
    parse(module) {
      const args = ['parse', '--format=json', '--json-include=locations,comments']
      const read = async (_: string, { exitCode, stdout, stderr }: Run) =>
        exitCode === 0 ? { ok: true as const, tree: JSON.parse(stdout) } : refused(readProblems(stderr))
      return compile([module], {}, args, read, Math.min(timeoutMs, PARSE_TIMEOUT_MS))
    },
    check(modules, { schema, capabilities }) {
      const files = { 'schema.json': schema, 'capabilities.json': capabilities }
      const args = [
        'check',
        '--strict',
        '--format=json',
        '--schema=../schema.json',
        '--capabilities=../capabilities.json',
      ]
      return compile(modules, files, args, async (_, { exitCode, stderr }) =>
        exitCode === 0 ? { ok: true } : refused(readProblems(stderr)),
      )
    },
    build(modules, { entrypoint, capabilities }) {
      // Unlike check, it prints what is wrong on standard output.
      const files = { 'capabilities.json': capabilities }
      const args = ['build', '--target=wasm', `--entrypoint=${entrypoint}`]
      const options = ['--capabilities=../capabilities.json', '--output=../bundle.tar.gz']
      return compile(modules, files, [...args, ...options], async (folder, { exitCode, stdout, stderr }) =>
        exitCode === 0
          ? { ok: true, wasm: unpackWasm(await readFile(join(folder, 'bundle.tar.gz'))) }
          : refused(readProblemLines(`${stdout}${stderr}`)),
      )
    },
  }
}

function runOpa(
  binary: string,
  args: readonly string[],
  cwd: string,
  timeoutMs: number,
): Promise<Run | 'timeout' | 'overflow'> {
  const options = {
    cwd,
    env: GO_RUNTIME,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
    encoding: 'utf8',
    windowsHide: true,
  } as const
  const started = performance.now()
  return new Promise((resolve, reject) => {
    execFile(binary, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ exitCode: 0, stdout, stderr })
      if (typeof error.code === 'number') return resolve({ exitCode: error.code, stdout, stderr })
      if (error.code === 'ENOENT' || error.code === 'EACCES') return reject(unavailable(NO_COMPILER, error))
      if (String(error.code) === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return resolve('overflow')
      if (error.killed && performance.now() - started >= timeoutMs) return resolve('timeout')
      reject(unavailable('The Rego compiler was stopped.', error))
    })
  })
}

/** Writes the modules under `policy/` and the files beside it in a folder that is gone afterwards. */
async function inFolder<Result>(
  modules: readonly PolicyModule[],
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'claimgate-opa-'))
  try {
    const texts = [
      ...modules.map(({ path, source }) => [join(folder, 'policy', path), source] as const),
      ...Object.entries(files).map(([name, text]) => [join(folder, name), text] as const),
    ]
    for (const parent of new Set(texts.map(([file]) => dirname(file)))) {
      await mkdir(parent, { recursive: true })
    }
    // Together: one after the other they took a fifth of a compilation.
    await Promise.all(texts.map(([file, text]) => writeFile(file, text)))
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function unpackWasm(bundle: Uint8Array): Uint8Array {
  const tar = gunzipSync(bundle, { maxOutputLength: MAX_BUNDLE_BYTES })
  const wasm = parseTar(tar).find(({ name }) => name.endsWith('policy.wasm'))?.data
  if (wasm === undefined) throw new Error('opa build gave a bundle without policy.wasm.')
  return Uint8Array.from(wasm)
}

function refused(problems: readonly PolicyProblem[]): OpaRefusal {
  return { ok: false, problems }
}

function sizeProblem(modules: readonly PolicyModule[]): PolicyProblem | undefined {
  const bytes = modules.reduce((sum, { source }) => sum + Buffer.byteLength(source), 0)
  if (bytes <= MAX_SOURCE_BYTES) return undefined
  const message = `The policy has ${bytes} bytes of source; at most ${MAX_SOURCE_BYTES} are compiled.`
  return { code: 'policy_too_large', message, file: fileAtFault(modules), row: 1, column: 1 }
}

function overflowProblem(modules: readonly PolicyModule[]): PolicyProblem {
  const message = 'The policy has too many parts, or too many in one another, to be read.'
  return { code: 'policy_too_large', message, file: fileAtFault(modules), row: 1, column: 1 }
}

function timeoutProblem(modules: readonly PolicyModule[], timeoutMs: number): PolicyProblem {
  const message = `The policy did not compile within ${timeoutMs} ms.`
  return { code: 'policy_compile_timeout', message, file: fileAtFault(modules), row: 1, column: 1 }
}

/** What is generated or an author's own: the largest module that is none of the base's. */
function fileAtFault(modules: readonly PolicyModule[]): string {
  const bySize = modules.toSorted((a, b) => b.source.length - a.source.length)
  return (bySize.find(({ path }) => !path.startsWith('claimgate/')) ?? bySize[0])?.path ?? ''
}
