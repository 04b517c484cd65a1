import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A PostgreSQL server of the tests' own, on a free port of the loopback address. */
export type Cluster = {
  /** The superuser's URL, without a database. */
  readonly url: string
  readonly dataDir: string
  /** Runs pg_ctl on it. */
  control(...args: string[]): void
  stop(): void
}

/** Starts a server from the distribution's binaries; undefined where there are none. Root starts it as `nobody`. */
export async function startCluster(settings: readonly string[] = []): Promise<Cluster | undefined> {
  const bin = findBinaries()
  if (bin === undefined) return undefined
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-postgres-'))
  const dataDir = join(directory, 'data')
  const user = serverUser()
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  const run = (program: string, args: readonly string[]) =>
    execFileSync(join(bin, program), args, {
      stdio: 'pipe',
      cwd: directory,
      ...user,
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    })
  const control = (...args: string[]) => void run('pg_ctl', ['-D', dataDir, '-w', '-t', '60', ...args])
  run('initdb', ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'])
  const options = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=`,
    'max_connections=200',
    ...settings,
  ]
  const stop = () => {
    process.off('exit', stop)
    try {
      control('stop', '-m', 'immediate')
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
  // It is no child of this process: where a test does not come to stop it, it would stay.
  process.once('exit', stop)
  control('start', '-l', join(directory, 'log'), '-o', options.map((option) => `-c ${option}`).join(' '))
  return {
    url: `postgresql://postgres@127.0.0.1:${port}`,
    dataDir,
    control,
    stop,
  }
}

/** The newest server that Debian's packages installed, or the one on PATH. */
function findBinaries(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const candidates = [
    ...versions.map((version) => join(root, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return candidates.find(
    (directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'pg_ctl')),
  )
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** A port of the loopback address that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
