import { spawn } from 'node:child_process'
import { globSync, rmSync } from 'node:fs'
import { createEmbeddedTemplate } from './embedded-template.ts'
import { startCluster } from './postgres.ts'

/** Runs the test suite: on a PostgreSQL server that it starts, where there is one to start, and on the embedded one. */
const template = await createEmbeddedTemplate()
const cluster = await startCluster()
const database =
  cluster === undefined
    ? 'the embedded database only (no PostgreSQL server was found)'
    : 'PostgreSQL and the embedded database'
process.stdout.write(`Testing on ${database}.\n`)

const given = process.argv.slice(2)
const files = given.length > 0 ? given : globSync('test/**/*.test.ts').sort()
const runner = spawn(process.execPath, ['--test', '--test-timeout=120000', ...files], {
  stdio: 'inherit',
  env: {
    ...process.env,
    TEST_EMBEDDED_TEMPLATE: template,
    ...(cluster && { TEST_POSTGRES_URL: cluster.url }),
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal))
runner.on('close', (code) => {
  cluster?.stop()
  rmSync(template, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
