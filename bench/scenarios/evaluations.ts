import { startEvaluator } from '../evaluator/start-evaluator.ts'
import type { Pace } from '../sender/load.ts'
import { startOpaServer } from '../start-opa-server.ts'
import type { Contestant, Measurement } from './measure.ts'
import { measureOnce, mediansOf } from './measure.ts'
import { mostPerSecond } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const PACES: readonly Pace[] = [1, 16, 64].map((inFlight) => ({ kind: 'closed', inFlight }))

/** An identity's policy in the service's worker threads, beside OPA's own server on the same sources. */
export async function measureEvaluations(bench: Bench): Promise<Findings> {
  const service = await bench.startService()
  const email = await service.createIdentity('evaluated')
  const opa = await startOpaServer(service, email, bench.directory)
  bench.stopAtEnd(opa)
  const evaluator = await startEvaluator(service.databaseUrl, email)
  bench.stopAtEnd(evaluator)
  const contestant: Contestant = {
    name: 'OPA server',
    url: opa.url,
    path: '/v1/data/claimgate/verdict',
    requests: { kind: 'evaluation', email },
    usage: opa.usage,
  }
  await measureOnce(bench.sender, contestant, { kind: 'closed', inFlight: 16 }, 1)
  await evaluator.evaluate(64, 1)

  const heats = PACES.map(() => ({ opa: [] as Measurement[], threads: [] as Measurement[] }))
  for (let round = 1; round <= bench.rounds; round++) {
    for (const [index, pace] of PACES.entries()) {
      heats[index]?.opa.push(await measureOnce(bench.sender, contestant, pace, bench.seconds))
      heats[index]?.threads.push(
        await evaluator.evaluate(pace.kind === 'closed' ? pace.inFlight : 1, bench.seconds),
      )
    }
    bench.say(`round ${round}: evaluations`)
  }
  const measurements = [
    ...heats.map(({ threads }) => mediansOf(threads)),
    ...heats.map((heat) => mediansOf(heat.opa)),
  ]
  const most = (name: string) => mostPerSecond(measurements, name)
  return {
    measurements,
    figures: [
      {
        name: "worker threads' evaluations, of OPA's server's, each at its best",
        value: most('worker threads') / most('OPA server'),
        unit: '',
        aim: 'at least 5',
      },
    ],
  }
}
