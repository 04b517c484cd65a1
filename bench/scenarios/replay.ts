import { runSql } from '../../test/support/world.ts'
import { runVerify } from '../run-verify.ts'
import { median } from '../statistics.ts'
import { exchangeContestant } from './contestants.ts'
import { copyPolicies, digestOfCopy } from './copy-policies.ts'
import { measureOnce } from './measure.ts'
import type { Bench, Findings } from './scenario.ts'

/** Recorded decisions judged again: all of one policy, of a thousand policies in turn, and by a draft. */
export async function measureReplay(bench: Bench): Promise<Findings> {
  const [rows, policies] = bench.quick ? [2_000, 20] : [100_000, 1_000]
  const service = await bench.startService()
  const email = await service.createIdentity('replayed')
  const contestant = exchangeContestant(bench, service, [email])
  const sent = await measureOnce(bench.sender, contestant, { kind: 'closed', inFlight: 16 }, 1)
  bench.say(`storing ${rows} decisions of one policy, and ${rows} of ${policies}`)
  await copyDecisions(service.databaseUrl, { rows, policies: 1, identity: 'one@example.com' })
  await copyDecisions(service.databaseUrl, { rows, policies, identity: 'many@example.com' })

  await copyDecisions(service.databaseUrl, { rows, policies: 1, identity: email })
  await service.admin('PUT', `/v1/workloadIdentities/${email}/draft`, DRAFT)
  // What was stored is written out now, and not while it is verified.
  await runSql(service.databaseUrl, 'checkpoint')

  const impactSeconds: number[] = []
  const impactRates: number[] = []
  const rates = { one: [] as number[], many: [] as number[] }
  // Where others use the machine too, this says more than the rates do.
  const processor = { one: [] as number[], many: [] as number[], impact: [] as number[] }
  let different = 0
  for (let round = 1; round <= bench.rounds; round++) {
    for (const which of ['one', 'many'] as const) {
      const verified = await runVerify(service.databaseUrl, `${which}@example.com`)
      if (verified.verified !== rows) throw new Error(`${verified.verified} of ${rows} were verified.`)
      rates[which].push(rows / verified.seconds)
      processor[which].push((verified.processorMs * 1000) / rows)
      different += verified.different
    }
    const startedAt = performance.now()
    const { processorMs } = service.usage()
    const impact = await service.admin('POST', `/v1/workloadIdentities/${email}/draft:impact`)
    impactSeconds.push((performance.now() - startedAt) / 1000)
    processor.impact.push(((service.usage().processorMs - processorMs) * 1000) / impact.replayed)
    impactRates.push(impact.replayed / (impactSeconds.at(-1) ?? 0))
    bench.say(
      `round ${round}: ${rates.one.at(-1)?.toFixed()} and ${rates.many.at(-1)?.toFixed()} decisions/s`,
    )
  }
  return {
    measurements: [sent],
    figures: [
      { name: 'replay, one policy', value: median(rates.one), unit: 'decisions/s', aim: 'at least 20,000' },
      {
        name: `replay, ${policies} policies in turn`,
        value: median(rates.many),
        unit: 'decisions/s',
        aim: 'at least 3,000',
      },
      {
        name: `impact of a draft over ${rows} decisions`,
        value: median(impactSeconds),
        unit: 's',
        aim: 'under 15',
      },
      { name: 'of which in each second', value: median(impactRates), unit: 'decisions' },
      ...(['one', 'many', 'impact'] as const).map((which) => ({
        name: `processor time of a decision: ${PROCESSOR_NAMES[which]}`,
        value: median(processor[which]),
        unit: 'µs',
      })),
      { name: 'verdicts that came out differently', value: different, unit: '', aim: 'none' },
    ],
  }
}

const PROCESSOR_NAMES = { one: 'one policy', many: 'policies in turn', impact: 'impact' }

/** Denies what was allowed. */
const DRAFT = { workloadIdentityConfig: { rules: [{ group: 'acme', project: 'another' }] } }

/** Stores an allowed decision many times, each of another job, with its policy under many names. */
async function copyDecisions(
  databaseUrl: string,
  { rows, policies, identity }: { rows: number; policies: number; identity: string },
): Promise<void> {
  const [one] = await runSql(
    databaseUrl,
    "select id, policy_digest from decisions where outcome = 'ALLOWED' limit 1",
  )
  await copyPolicies(databaseUrl, { original: one.policy_digest, copies: policies, name: identity })
  await runSql(
    databaseUrl,
    `insert into decisions (id, kind, outcome, reason, identity, identity_id, issuer_url, subject, claims, verdict,
       policy_digest, subject_token_hash, subject_key_id, issued_key_id, issued_expire_time, decide_time, project_path)
     select (left(id::text, 14) || '7' || substr(md5(n || '${identity}'), 1, 3) || '-8' || substr(md5(n || '${identity}'), 4, 3)
         || '-' || substr(md5(n || '${identity}'), 7, 12))::uuid,
       kind, outcome, reason, '${identity}', identity_id, issuer_url, subject,
       regexp_replace(claims, '"job_id":"[0-9]+"', '"job_id":"' || n || '"'), verdict,
       ${digestOfCopy(identity, `(n % ${policies} + 1)`)}, subject_token_hash, subject_key_id, issued_key_id, issued_expire_time,
       decide_time, project_path
     from generate_series(1, ${rows}) n, (select * from decisions where id = $1) one
     order by 1`,
    [one.id],
  )
  await runSql(databaseUrl, 'vacuum (analyze) decisions')
}
