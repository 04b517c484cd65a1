import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gitlabClaims } from '../../test/support/gitlab-claims.ts'
import { exchangeTokens } from '../exchange-tokens.ts'
import { runClaimgate } from '../run-claimgate.ts'
import { createTokens } from '../sender/tokens.ts'
import type { Service } from '../start-service.ts'
import { median, percentile } from '../statistics.ts'
import type { Bench, Findings } from './scenario.ts'

const ISSUER = 'https://gitlab.example.org'

/** Policies as files: planned by the command, unchanged and changed; validated and asked one at a time over the API. */
export async function measurePolicies(bench: Bench): Promise<Findings> {
  const [identities, changes, decisions, requests] = bench.quick ? [20, 5, 50, 20] : [1_000, 100, 3_000, 200]
  const service = await bench.startService()
  const claimgate = (...args: string[]) =>
    runClaimgate([...args, '--url', service.url], { ACCESS_TOKEN: service.adminToken })
  const jobs = createTokens(ISSUER)
  await service.admin('POST', '/v1/issuers?issuerId=policies', {
    issuerUrl: ISSUER,
    providerType: 'GITLAB',
    jwks: { keys: [jobs.publicJwk] },
  })
  const folder = join(bench.directory, 'policies')
  writePolicies(folder, identities, 'main')
  const applied = await claimgate('apply', folder)
  bench.say(`${identities} identities applied in ${applied.seconds.toFixed(1)} s`)
  const emailAt = (n: number) => `file-${n}@workload.claimgate.internal`
  const exchanged = Array.from({ length: decisions }, (_, n) => emailAt(n % changes))
  await exchangeTokens(service, jobs, exchanged)

  const seconds = { unchanged: [] as number[], changed: [] as number[] }
  const replayed: number[] = []
  for (let round = 1; round <= bench.rounds; round++) {
    const unchanged = await claimgate('plan', folder)
    if (unchanged.answer.unchanged !== identities) throw new Error('What was applied is planned again.')
    seconds.unchanged.push(unchanged.seconds)
    // Another branch each time, as the service remembers what it compiled for a plan.
    const changedFolder = join(bench.directory, `policies-${round}`)
    writePolicies(changedFolder, changes, `round-${round}`)
    const changed = await claimgate('plan', changedFolder)
    if (changed.answer.changes.length !== changes) throw new Error('Not all that was changed is planned.')
    seconds.changed.push(changed.seconds)
    replayed.push(replayedIn(changed.answer))
    bench.say(`round ${round}: ${unchanged.seconds.toFixed(1)} and ${changed.seconds.toFixed(1)} s`)
  }
  const calls = await measureCalls(service, emailAt(0), requests)
  return {
    measurements: [],
    figures: [
      { name: `apply of ${identities} new identities`, value: applied.seconds, unit: 's' },
      {
        name: `plan of ${identities} unchanged identities`,
        value: median(seconds.unchanged),
        unit: 's',
        aim: '1,000 in under 5',
      },
      {
        name: `plan of ${changes} changed identities`,
        value: median(seconds.changed),
        unit: 's',
        aim: '100 in under 15',
      },
      { name: `decisions replayed for it, of ${decisions}`, value: median(replayed), unit: '' },
      { name: ':validate of a new policy, p50', value: calls.newMs, unit: 'ms', aim: 'below 30' },
      { name: ':validate of a known policy, p50', value: calls.knownMs, unit: 'ms' },
      { name: ':evaluate, p50', value: calls.evaluateMs, unit: 'ms', aim: 'below 5' },
    ],
  }
}

/** A file for each, with a test; a title of its own gives each a policy of its own. */
function writePolicies(folder: string, count: number, branch: string): void {
  mkdirSync(folder)
  for (let n = 0; n < count; n++) writeFileSync(join(folder, `file-${n}.yaml`), policyFile(n, branch))
}

function policyFile(n: number, branch: string): string {
  return `id: file-${n}
title: File ${n}
providerType: GITLAB
issuerUrl: ${ISSUER}
rules:
  - id: deploy
    title: Deploy ${n}
    group: acme
    project: app
    refs:
      - { type: BRANCH, pattern: ${branch} }
      - { type: TAG, pattern: v* }
    roles: [roles/gitopsServiceAgent]

tests:
  - title: a push of another branch does not deploy
    expect: DENIED
    claims:
      namespace_path: acme
      project_path: acme/app
      ref_type: branch
      ref: feature
      ref_path: refs/heads/feature
      ref_protected: "true"
      pipeline_source: push
`
}

type Plan = { readonly changes: readonly { readonly impact?: { readonly replayed: number } }[] }

function replayedIn({ changes }: Plan): number {
  return changes.reduce((sum, { impact }) => sum + (impact?.replayed ?? 0), 0)
}

/** One call after the other, as whoever writes a rule makes them. */
async function measureCalls({ admin }: Service, email: string, requests: number) {
  const validate = (project: string) =>
    admin('POST', '/v1/workloadIdentities:validate', {
      title: 'Validated',
      workloadIdentityConfig: {
        providerType: 'GITLAB',
        issuerUrl: ISSUER,
        rules: [{ id: 'deploy', group: 'acme', project }],
      },
    })
  const evaluate = () =>
    admin('POST', `/v1/workloadIdentities/${email}:evaluate`, { claims: gitlabClaims('18.9') })
  return {
    newMs: await p50Ms(requests, (n) => validate(`new-${n}`)),
    knownMs: await p50Ms(requests, () => validate('known')),
    evaluateMs: await p50Ms(requests, evaluate),
  }
}

async function p50Ms(requests: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const timesMs = new Float64Array(requests)
  for (let n = 0; n < requests; n++) {
    const startedAt = performance.now()
    await call(n)
    timesMs[n] = performance.now() - startedAt
  }
  return percentile(timesMs, 0.5)
}
