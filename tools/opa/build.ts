import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NO_COMPILER, OPA_VERSION, opaBinary } from '../../src/policy/opa-binary.ts'

/** What `go` says of itself where one can be run. */
export type GoToolchain = { readonly version: string; readonly toolchain: string }

const HERE = dirname(fileURLToPath(import.meta.url))
const PACKAGE = 'github.com/open-policy-agent/opa'
const NEEDED = [1, 26] as const // what OPA's own go.mod asks for
const SWITCHING = [1, 21] as const // from here on a Go fetches a later one by itself
const SAY_EVERY_MS = 15_000

/** Whether this Go can build OPA, as it is or by fetching a later one. */
export function canBuild(go: GoToolchain | undefined): boolean {
  if (go === undefined) return false
  if (isAtLeast(go.version, NEEDED)) return true
  return isAtLeast(go.version, SWITCHING) && /(?:^|\+)(?:auto|path)$/.test(go.toolchain)
}

/** Builds the compiler unless it is there or `OPA_BIN` names one; without a fitting Go it says so and builds nothing. */
async function main(): Promise<void> {
  if (process.env.OPA_BIN) return
  const target = opaBinary(undefined)
  if (versionOf(target) === OPA_VERSION) return
  if (!canBuild(findGo())) {
    process.stderr.write(`${NO_COMPILER}\n`)
    return
  }
  process.exitCode = await build(target)
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, foundMajor = '', foundMinor = ''] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  if (foundMajor === '') return /^devel /.test(version)
  return Number(foundMajor) > major || (Number(foundMajor) === major && Number(foundMinor) >= minor)
}

/** Asks from outside the module: inside, a Go that may fetch another already answers as that one. */
function findGo(): GoToolchain | undefined {
  const cwd = dirname(process.execPath)
  try {
    const said = execFileSync('go', ['env', 'GOVERSION', 'GOTOOLCHAIN'], {
      cwd,
      encoding: 'utf8',
      stdio: 'pipe',
    })
    const [version = '', toolchain = ''] = said.split('\n')
    return { version, toolchain: toolchain || 'auto' }
  } catch {
    return undefined
  }
}

function versionOf(binary: string): string | undefined {
  if (!existsSync(binary)) return undefined
  try {
    return /^Version: (\S+)$/m.exec(execFileSync(binary, ['version'], { encoding: 'utf8', env: {} }))?.[1]
  } catch {
    return undefined
  }
}

/** Builds beside the target and renames, so that there never is half a compiler. Returns the exit code. */
async function build(target: string): Promise<number> {
  const unfinished = join(dirname(target), `opa.${process.pid}`)
  mkdirSync(dirname(target), { recursive: true })
  const progress = showProgress(`Building the Rego compiler, OPA ${OPA_VERSION} (about a minute)`)
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', unfinished, PACKAGE]
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' }
  const go = spawn('go', args, { cwd: HERE, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: string[] = []
  for (const stream of [go.stdout, go.stderr])
    stream.setEncoding('utf8').on('data', (text) => output.push(text))
  const code = await new Promise<number>((resolve) => {
    go.on('error', () => resolve(1))
    go.on('close', (exitCode) => resolve(exitCode ?? 1))
  })
  const isBuilt = code === 0 && versionOf(unfinished) === OPA_VERSION
  if (isBuilt) renameSync(unfinished, target)
  rmSync(unfinished, { force: true })
  progress.end(isBuilt ? 'done' : 'failed')
  if (isBuilt) return 0
  process.stderr.write(`${output.join('').trimEnd()}\nOPA ${OPA_VERSION} was not built. ${NO_COMPILER}\n`)
  return 1
}

/** One line that counts the seconds on a terminal; elsewhere one at the start, every so often and at the end. */
function showProgress(title: string): { end(how: string): void } {
  const started = performance.now()
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
  const { stdout } = process
  const show = () => stdout.write(stdout.isTTY ? `\r${title}: ${seconds()} ` : `${title}: ${seconds()}\n`)
  stdout.write(stdout.isTTY ? `${title} ` : `${title}\n`)
  const timer = setInterval(show, stdout.isTTY ? 1000 : SAY_EVERY_MS)
  return {
    end(how) {
      clearInterval(timer)
      stdout.write(`${stdout.isTTY ? '\r' : ''}${title}: ${how}, ${seconds()}\n`)
    },
  }
}

if (import.meta.main) await main()
