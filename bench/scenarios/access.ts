import { runSql } from '../../test/support/world.ts'
import { exchangeTokens } from '../exchange-tokens.ts'
import { createTokens } from '../sender/tokens.ts'
import type { Service } from '../start-service.ts'
import { exchangeContestant } from './contestants.ts'
import { type Contestant, type Measurement, measureOnce, mediansOf } from './measure.ts'
import { FULL, runRounds, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const ISSUER = 'https://gitlab.example.org'
const TOKENS = 200
const MEMBERS_OF_A_PROJECT = 10
const PERMISSION = 'bb.plans.create'

/**
 * Access decisions on tokens of jobs, recorded as exchanges are, beside exchanges in the same rounds; and at a quarter
 * of their most with a hundred thousand memberships over ten thousand projects, beside a database with one of each.
 */
export async function measureAccess(bench: Bench): Promise<Findings> {
  const projects = bench.quick ? 100 : 10_000
  const [few, many] = [
    await bench.startService('access, one membership'),
    await bench.startService(`access, ${projects * MEMBERS_OF_A_PROJECT} memberships`),
  ]
  const alone = await accessContestant(few, 1)
  const among = await accessContestant(many, projects)
  const exchanges = exchangeContestant(bench, few, [await few.createIdentity('deploy')])
  await warmUp(bench, [alone, among, exchanges])
  const full = await runRounds(
    bench,
    [alone, { ...exchanges, name: 'exchanges' }].map((contestant) => ({ contestant, pace: FULL })),
  )
  const [access, exchange] = full
  const pace = { kind: 'open', perSecond: (access?.perSecond ?? 0) / 4 } as const
  const quarter = [alone, among].map((): Measurement[] => [])
  for (let round = 1; round <= bench.rounds; round++) {
    for (const [index, contestant] of [alone, among].entries()) {
      quarter[index]?.push(await measureOnce(bench.sender, contestant, pace, bench.seconds))
    }
    bench.say(`round ${round}: memberships`)
  }
  const [one, all] = quarter.map(mediansOf)
  return {
    measurements: [...full, ...quarter.map(mediansOf)],
    figures: [
      {
        name: 'access decisions at 64 in flight, of the throughput of exchanges',
        value: (access?.perSecond ?? Number.NaN) / (exchange?.perSecond ?? Number.NaN),
        unit: '',
        aim: 'at least 0.8',
      },
      {
        name: `p99 with ${projects * MEMBERS_OF_A_PROJECT} memberships, of that with one`,
        value: (all?.p99Ms ?? Number.NaN) / (one?.p99Ms ?? Number.NaN),
        unit: '',
        aim: 'below 2',
      },
    ],
  }
}

/** Questions about tokens of one identity, which is a member of all these projects. */
async function accessContestant(service: Service, projects: number): Promise<Contestant> {
  const tokens = await issueTokens(service)
  await storeMemberships(service, projects)
  return {
    name: service.name,
    url: service.url,
    path: '/access/v1/evaluation',
    requests: { kind: 'access', tokens, adminToken: service.adminToken, projects, permission: PERMISSION },
    usage: service.usage,
  }
}

/** Without the API, which would take an hour. The other members of a project are other identities. */
async function storeMemberships({ databaseUrl }: Service, projects: number): Promise<void> {
  await runSql(
    databaseUrl,
    `insert into projects (id, title, state, create_time, update_time)
       select 'p-' || n, 'P', 'ACTIVE', now(), now() from generate_series(1, ${projects}) n`,
  )
  await runSql(
    databaseUrl,
    `insert into workload_identities (id, email, title, state, token_lifetime_seconds, subject_token_use,
       token_audiences, recorded_claims, config, issuer_id, policy_digest, create_time, update_time)
     select gen_random_uuid(), 'member-' || n || '@workload.claimgate.internal', title, state, token_lifetime_seconds,
       subject_token_use, token_audiences, recorded_claims, config, issuer_id, policy_digest, create_time, update_time
     from generate_series(1, ${projects === 1 ? 0 : MEMBERS_OF_A_PROJECT - 1}) n,
       (select * from workload_identities where email like 'asked@%') one`,
  )
  await runSql(
    databaseUrl,
    `insert into project_bindings (project_id, role, identity_id)
       select p.id, 'roles/gitopsServiceAgent', i.id from projects p, workload_identities i
         where p.id like 'p-%' and (i.email like 'asked@%' or i.email like 'member-%')`,
  )
  // As a database is that has been at rest: else what is measured next waits for the disk to take all this.
  await runSql(databaseUrl, 'vacuum analyze')
  await runSql(databaseUrl, 'checkpoint')
}

/** Access tokens of one identity, each for a job of its own. */
async function issueTokens(service: Service): Promise<readonly string[]> {
  const jobs = createTokens(ISSUER)
  await service.admin('POST', '/v1/issuers?issuerId=access', {
    issuerUrl: ISSUER,
    providerType: 'GITLAB',
    jwks: { keys: [jobs.publicJwk] },
  })
  const { email } = await service.admin(
    'POST',
    '/v1/workspaces/default/workloadIdentities?workloadIdentityId=asked',
    {
      title: 'Asked about',
      workloadIdentityConfig: {
        providerType: 'GITLAB',
        issuerUrl: ISSUER,
        rules: [{ id: 'deploy', group: 'acme', project: 'app' }],
      },
    },
  )
  return exchangeTokens(service, jobs, Array(TOKENS).fill(email))
}
