import { runSql } from '../../test/support/world.ts'
import type { Service } from '../start-service.ts'
import { exchangeContestant } from './contestants.ts'
import { copyPolicies, digestOfCopy } from './copy-policies.ts'
import { type Measurement, measureOnce, mediansOf } from './measure.ts'
import { FULL, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const CREATED_AT_ONCE = 8

/** Ten thousand identities with a policy each, asked for at random: most are not loaded when they are needed. */
export async function measureIdentities(bench: Bench): Promise<Findings> {
  const [created, stored] = bench.quick ? [20, 200] : [1_000, 10_000]
  const service = await bench.startService()
  const startedAt = performance.now()
  const emails = await createIdentities(service, created)
  const creationSeconds = (performance.now() - startedAt) / 1000
  bench.say(`${created} identities created in ${creationSeconds.toFixed(1)} s`)
  emails.push(...(await copyIdentities(service, stored - created)))

  const [one] = emails
  const single = {
    ...exchangeContestant(bench, service, one === undefined ? [] : [one]),
    name: 'one identity',
  }
  await warmUp(bench, [single])
  const most = await measureOnce(bench.sender, single, FULL, bench.seconds)
  const contestant = { ...exchangeContestant(bench, service, emails), name: `${stored} identities` }
  const quarter = { kind: 'open', perSecond: most.perSecond / 4 } as const
  const random = await measureOnce(bench.sender, contestant, FULL, bench.seconds)
  const randomQuarter = { kind: 'open', perSecond: random.perSecond / 4 } as const
  const rounds = { ofSingle: [] as Measurement[], ofRandom: [] as Measurement[] }
  for (let round = 1; round <= bench.rounds; round++) {
    rounds.ofRandom.push(await measureOnce(bench.sender, contestant, randomQuarter, bench.seconds))
    rounds.ofSingle.push(await measureOnce(bench.sender, contestant, quarter, bench.seconds))
    bench.say(`round ${round}: random identities, ${service.usage().residentMb.toFixed(0)} MB`)
  }
  const ofRandom = mediansOf(rounds.ofRandom)
  const ofSingle = mediansOf(rounds.ofSingle)
  return {
    measurements: [most, random, ofRandom, ofSingle],
    figures: [
      {
        name: `creating ${created} identities over the API`,
        value: creationSeconds,
        unit: 's',
        aim: '1,000 in under 90',
      },
      {
        name: 'p99 at a quarter of the maximum, at random',
        value: ofRandom.p99Ms,
        unit: 'ms',
        aim: 'below 60',
      },
      { name: 'p99 at a quarter of the maximum of one identity', value: ofSingle.p99Ms, unit: 'ms' },
      { name: 'resident memory', value: service.usage().residentMb, unit: 'MB', aim: 'below 700' },
    ],
  }
}

async function createIdentities(service: Service, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `created-${index}`)
  const emails: string[] = []
  const createInTurn = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) emails.push(await service.createIdentity(id))
  }
  await Promise.all(Array.from({ length: CREATED_AT_ONCE }, createInTurn))
  return emails
}

/** Stores further identities, each with a policy of its own, without the API, which would take an hour. */
async function copyIdentities(service: Service, count: number): Promise<readonly string[]> {
  const [one] = await runSql(service.databaseUrl, 'select id, policy_digest from workload_identities limit 1')
  const copies = { original: one.policy_digest, copies: count, name: 'copy' }
  await copyPolicies(service.databaseUrl, copies)
  const rows = await runSql(
    service.databaseUrl,
    `insert into workload_identities (id, email, title, state, token_lifetime_seconds, subject_token_use,
       token_audiences, recorded_claims, config, issuer_id, policy_digest, create_time, update_time)
     select gen_random_uuid(), 'copy-' || n || '@workload.claimgate.internal', title, state, token_lifetime_seconds,
       subject_token_use, token_audiences, recorded_claims, config, issuer_id,
       ${digestOfCopy('copy', 'n')}, create_time, update_time
     from generate_series(1, ${count}) n, (select * from workload_identities where id = $1) one
     returning email`,
    [one.id],
  )
  return rows.map(({ email }) => String(email))
}
