import { exchangeTokens } from '../exchange-tokens.ts'
import type { Pace } from '../sender/load.ts'
import { createTokens } from '../sender/tokens.ts'
import type { Service } from '../start-service.ts'
import type { Contestant } from './measure.ts'
import { FULL, halfLoads, runRounds, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const ISSUER = 'https://gitlab.example.org'
const TOKENS = 200
const CLOSED: readonly Pace[] = [{ kind: 'closed', inFlight: 1 }, { kind: 'closed', inFlight: 16 }, FULL]

/** What a service behind asks of each token that it is handed, where it does not verify them itself. */
export async function measureIntrospection(bench: Bench): Promise<Findings> {
  const service = await bench.startService()
  const contestant: Contestant = {
    name: service.name,
    url: service.url,
    path: '/oauth2/introspect',
    requests: {
      kind: 'introspection',
      tokens: await issueTokens(service),
      adminToken: service.adminToken,
    },
    usage: service.usage,
  }
  await warmUp(bench, [contestant])
  const closed = await runRounds(
    bench,
    CLOSED.map((pace) => ({ contestant, pace })),
  )
  const half = await runRounds(bench, halfLoads([contestant], closed))
  return {
    measurements: [...closed, ...half],
    figures: [
      {
        name: 'p50 of an introspection alone',
        value: closed[0]?.p50Ms ?? Number.NaN,
        unit: 'ms',
        aim: 'below 3',
      },
      { name: 'p50 at half load', value: half[0]?.p50Ms ?? Number.NaN, unit: 'ms', aim: 'below 3' },
    ],
  }
}

/** Access tokens of one identity, each for a job of its own. */
async function issueTokens(service: Service): Promise<readonly string[]> {
  const jobs = createTokens(ISSUER)
  await service.admin('POST', '/v1/issuers?issuerId=introspection', {
    issuerUrl: ISSUER,
    providerType: 'GITLAB',
    jwks: { keys: [jobs.publicJwk] },
  })
  const { email } = await service.admin(
    'POST',
    '/v1/workspaces/default/workloadIdentities?workloadIdentityId=introspected',
    {
      title: 'Introspected',
      workloadIdentityConfig: {
        providerType: 'GITLAB',
        issuerUrl: ISSUER,
        rules: [{ id: 'deploy', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }],
      },
    },
  )
  return exchangeTokens(service, jobs, Array(TOKENS).fill(email))
}
