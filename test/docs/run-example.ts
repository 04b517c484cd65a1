import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../support/postgres.ts'

const EXAMPLES = join(import.meta.dirname, '../../docs/integrate')
/** How long a process may take until it answers, on a machine that has much else to do. */
const START_MS = 30_000

export type ExampleAnswer = { readonly status: number; readonly text: string }
/** A service of the examples, as a process of its own. */
export type Example = {
  /** Sends a request that carries this token, or none. */
  ask(token?: string, method?: string, path?: string): Promise<ExampleAnswer>
  stop(): Promise<void>
}

/** One that can import what the example needs: PyPI's, or the system's with Debian's packages. */
export const PYTHON =
  ['python3', '/usr/bin/python3'].find((each) => canRun(each, ['-c', 'import jwt, cryptography'])) ?? ''
const NGINX = ['nginx', '/usr/sbin/nginx'].find((each) => canRun(each, ['-v'])) ?? ''
export const NJS =
  ['/usr/lib/nginx/modules', '/usr/share/nginx/modules']
    .map((folder) => join(folder, 'ngx_http_js_module.so'))
    .find((file) => existsSync(file)) ?? ''

/** Why an example cannot be run here, for a test's `skip`; false where it can. */
export const MISSING = {
  go: canRun('go', ['version']) && goVersion() >= 25 ? false : 'there is no Go 1.25 on this machine',
  python: PYTHON === '' ? 'no python3 on this machine can import jwt and cryptography' : false,
  nginx: NGINX === '' ? 'nginx is not on this machine' : false,
  njs: NJS === '' ? "NGINX's module njs is not on this machine" : false,
} as const

/** Starts a service, which listens on `PORT`, and waits until it answers. */
export async function startExample(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Example> {
  const port = await freePort()
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, NO_PROXY: '*', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return awaitExample(child, port)
}

/** Compiles the example in Go; the flags are those of the policy compiler, whose build has the packages in Go's cache. */
export async function buildGo(directory: string): Promise<string> {
  const binary = join(directory, 'verify')
  if (existsSync(binary)) return binary
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off', GOTOOLCHAIN: 'local' }
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', binary, join(EXAMPLES, 'verify.go')]
  await promisify(execFile)('go', args, { cwd: directory, env })
  return binary
}

/** Starts NGINX with this configuration in its http block, and `head` before it. */
export async function startNginx(
  directory: string,
  head: string,
  http: (port: number) => string,
): Promise<Example> {
  const port = await freePort()
  const home = join(directory, `nginx-${port}`)
  mkdirSync(home)
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(home, name)};`,
  )
  const main = ['daemon off;', 'master_process off;', `pid ${join(home, 'pid')};`, 'events {}']
  const file = join(home, 'nginx.conf')
  writeFileSync(file, [head, ...main, 'http {', 'access_log off;', ...folders, http(port), '}'].join('\n'))
  const child = spawn(NGINX, ['-e', 'stderr', '-p', home, '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  return awaitExample(child, port)
}

async function awaitExample(child: ChildProcess, port: number): Promise<Example> {
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => output.push(String(text)))
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  let hasEnded = false
  const ended = once(child, 'close').finally(() => {
    hasEnded = true
    process.off('exit', kill)
  })
  // A command that is not there is told with all else that keeps it from answering.
  ended.catch((error) => output.push(String(error)))
  const example: Example = {
    async ask(token, method = 'GET', path = '/') {
      const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }) }
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers,
        ...(method === 'POST' && { body: 'a body' }),
      })
      return { status: answer.status, text: await answer.text() }
    },
    async stop() {
      child.kill()
      await ended
    },
  }
  const until = performance.now() + START_MS
  while (!hasEnded && performance.now() < until) {
    if (await example.ask().catch(() => undefined)) return example
    await pause(50)
  }
  child.kill('SIGKILL')
  throw new Error(`The example does not answer: ${output.join('')}`)
}

function canRun(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The minor version of Go 1. */
function goVersion(): number {
  const said = execFileSync('go', ['version'], {
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  })
  return Number(/go1\.(\d+)/.exec(said)?.[1] ?? 0)
}
