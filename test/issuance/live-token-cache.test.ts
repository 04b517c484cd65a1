import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenIdentity } from '../../src/issuance/find-live-token.ts'
import { createLiveTokenCache } from '../../src/issuance/live-token-cache.ts'

const RULE = {
  title: 'Deploy',
  disabled: false,
  group: 'acme',
  project: 'app',
  refs: [{ type: 'BRANCH', pattern: 'main' }],
  protectedRefsOnly: true,
  mergeRequests: 'NONE',
  pipelineSources: ['push'],
  claims: {},
  ids: { projectIds: [], namespaceIds: [] },
  roles: [],
} as const

for (const [count, entries] of [
  [1, 1],
  [100, 0],
] as const) {
  test(`of an identity with ${count} rules ${entries} tokens are remembered`, async () => {
    const rules = Array.from({ length: count }, (_, n) => ({ ...RULE, id: `rule-${n}` }))
    const row: TokenIdentity = {
      id: '01a20d6d-5a00-7188-b256-39608d032e87',
      email: 'ci@workload.example.com',
      title: 'CI',
      project: null,
      rules,
      key_id: 'key',
      revision: '1',
      project_revision: null,
      issuer_url: 'https://gitlab.com',
      issuer_revision: '1',
    }
    const cache = createLiveTokenCache({
      verifyAccessToken: async () => ({
        email: row.email,
        audience: 'https://claimgate.example.com',
        issueTime: 0,
        expireTime: 3_600,
        decisionId: '01a20d6d-5a00-7188-b256-31508d032e87',
        keyId: 'key',
        roles: [],
        projects: [],
        rules: ['rule-0'],
        workload: {},
      }),
      findTokenIdentity: async () => row,
    })

    const live = await cache.find('a token', 'any')

    assert.deepEqual(live?.rules, ['rule-0'])
    assert.equal(cache.stats().entries, entries)
  })
}
