import { fork } from 'node:child_process'
import { once } from 'node:events'
import { runSql } from '../../test/support/world.ts'
import type { Measurement } from '../scenarios/measure.ts'
import { percentile } from '../statistics.ts'
import type { EvaluatorAnswer, EvaluatorCommand } from './evaluator.ts'

/** The service's own evaluator in a process of its own, asked from inside: no HTTP, no token, no record. */
export async function startEvaluator(databaseUrl: string, email: string) {
  const [policy] = await runSql(
    databaseUrl,
    'select wasm from policies join workload_identities on policy_digest = digest where email = $1',
    [email],
  )
  const child = fork(new URL('./evaluator-process.ts', import.meta.url), { serialization: 'advanced' })
  return {
    stop: () => child.disconnect(),
    async evaluate(inFlight: number, seconds: number): Promise<Measurement> {
      const command: EvaluatorCommand = { wasm: policy.wasm, email, inFlight, seconds }
      child.send(command)
      const [answer] = (await once(child, 'message')) as [EvaluatorAnswer]
      const { latenciesMs, processorMs, residentMb, errors } = answer
      return {
        contestant: 'worker threads',
        load: `${inFlight} in flight`,
        perSecond: latenciesMs.length / answer.seconds,
        p50Ms: percentile(latenciesMs, 0.5),
        p90Ms: percentile(latenciesMs, 0.9),
        p99Ms: percentile(latenciesMs, 0.99),
        maxMs: percentile(latenciesMs, 1),
        processorUs: (processorMs * 1000) / latenciesMs.length,
        mainThreadUs: Number.NaN,
        databaseUs: Number.NaN,
        senderUs: Number.NaN,
        residentMb,
        errors,
      }
    },
  }
}
