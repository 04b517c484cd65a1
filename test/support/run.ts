import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedTemplate } from './embedded-template.ts'
import { startCluster } from './postgres.ts'
import { createPostgresqlTemplate } from './postgresql-template.ts'

/** Runs the test suite: on a PostgreSQL server that it starts, where there is one to start, and on the embedded one. */
const template = await createEmbeddedTemplate()
const compiled = mkdtempSync(join(tmpdir(), 'claimgate-compiled-'))
// No test of this server's databases is about what a crash leaves: those start servers of their own, which flush.
const cluster = await startCluster(['fsync=off', 'full_page_writes=off'])
if (cluster !== undefined) await createPostgresqlTemplate(cluster.url)
const database =
  cluster === undefined
    ? 'the embedded database only (no PostgreSQL server was found)'
    : 'PostgreSQL and the embedded database'
process.stdout.write(`Testing on ${database}.\n`)

const given = process.argv.slice(2)
const files = given.length > 0 ? given : globSync('test/**/*.test.ts').sort()
const flags = [
  '--test-timeout=120000',
  // Node leaves one processor free, which of two is half of them.
  `--test-concurrency=${availableParallelism()}`,
  `--import=${new URL('bound-file.ts', import.meta.url).href}`,
]
const runner = spawn(process.execPath, ['--test', ...flags, ...files], {
  stdio: 'inherit',
  env: {
    ...process.env,
    NODE_COMPILE_CACHE: compiled,
    TEST_EMBEDDED_TEMPLATE: template,
    ...(cluster && { TEST_POSTGRES_URL: cluster.url }),
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal))
runner.on('close', (code) => {
  cluster?.stop()
  for (const directory of [template, compiled]) rmSync(directory, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
