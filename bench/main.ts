import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startCluster } from '../test/support/postgres.ts'
import { fillDecisions, measurePages } from './decisions-history.ts'
import { chart } from './report/chart.ts'
import { describeMachine } from './report/machine.ts'
import { summarizeProfiles } from './report/summarize-profile.ts'
import { figureTable, measurementTable } from './report/table.ts'
import { measureAccess } from './scenarios/access.ts'
import { measureBombs } from './scenarios/bombs.ts'
import { measureEvaluations } from './scenarios/evaluations.ts'
import { measureExchange } from './scenarios/exchange.ts'
import { measureFlood } from './scenarios/flood.ts'
import { historyScenario } from './scenarios/history.ts'
import { measureIdentities } from './scenarios/identities.ts'
import { measureIntrospection } from './scenarios/introspection.ts'
import { measurePolicies } from './scenarios/policies.ts'
import { measureReplay } from './scenarios/replay.ts'
import type { Findings, Scenario } from './scenarios/scenario.ts'
import { measureSoak } from './scenarios/soak.ts'
import { startSender } from './sender/start-sender.ts'
import { startService } from './start-service.ts'

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  exchange: measureExchange,
  evaluations: measureEvaluations,
  identities: measureIdentities,
  introspection: measureIntrospection,
  access: measureAccess,
  flood: measureFlood,
  bombs: measureBombs,
  soak: measureSoak,
  history: historyScenario({ fillDecisions, measurePages }),
  replay: measureReplay,
  policies: measurePolicies,
}
const DEFAULT = ['exchange', 'evaluations']
const ROOT = join(import.meta.dirname, '..')

/** `npm run bench`: measures, and prints and writes what it found. It judges nothing. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      scenario: { type: 'string', multiple: true, default: DEFAULT },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      against: { type: 'string' },
      output: { type: 'string', default: join(ROOT, 'bench/results') },
    },
  })
  const scenarios = values.scenario.map((name) => {
    const measure = SCENARIOS[name]
    if (measure === undefined) {
      throw new Error(`There is no scenario '${name}', but ${Object.keys(SCENARIOS).join(', ')}.`)
    }
    return { name, measure }
  })
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-bench-'))
  const profileDir = values.profile ? join(directory, 'profiles') : undefined
  await using stack = new AsyncDisposableStack()
  // PostgreSQL runs in a session of its own and would outlive us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stack.disposeAsync().finally(() => process.exit(1)))
  }
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const cluster = await startCluster()
  if (cluster === undefined) throw new Error('The bench needs a PostgreSQL server to start, and found none.')
  stack.defer(() => cluster.stop())
  const sender = await startSender()
  stack.defer(() => sender.stop())
  const machine = await describeMachine(cluster.url)

  const found: Record<string, Findings> = {}
  for (const { name, measure } of scenarios) {
    const servers = stack.use(new AsyncDisposableStack())
    found[name] = await measure({
      seconds: Number(values.seconds ?? (values.quick ? 1 : 4)),
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      quick: values.quick,
      sender,
      cluster,
      directory,
      against: values.against === undefined ? undefined : resolve(values.against),
      async startService(service = 'claimgate', checkout = ROOT) {
        const started = await startService({
          name: service,
          checkout,
          clusterUrl: cluster.url,
          directory,
          issuer: sender,
          profileDir: checkout === ROOT ? profileDir : undefined,
        })
        servers.defer(() => started.stop())
        return started
      },
      stopAtEnd: (server) => servers.defer(() => server.stop()),
      say: (text) => process.stderr.write(`${text}\n`),
    })
    await servers.disposeAsync()
    process.stdout.write(`\n## ${name}\n\n${describe(found[name])}\n`)
  }

  mkdirSync(values.output, { recursive: true })
  const measurements = Object.values(found).flatMap((findings) => findings.measurements)
  writeFileSync(join(values.output, 'bench.json'), `${JSON.stringify({ machine, found }, null, 2)}\n`)
  writeFileSync(join(values.output, 'bench.svg'), chart(measurements))
  process.stdout.write(`\n${Object.values(machine).join(' · ')}\nWritten to ${values.output}.\n`)
  if (profileDir !== undefined) process.stdout.write(`\n## profile\n\n${summarizeProfiles(profileDir)}\n`)
}

function describe({ measurements, figures }: Findings): string {
  const tables = measurements.length === 0 ? [] : [measurementTable(measurements)]
  return [...tables, figureTable(figures)].join('\n\n')
}

await main()
