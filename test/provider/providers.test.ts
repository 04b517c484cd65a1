import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import type { Provider } from '../../src/provider/provider.ts'
import { PERSONAL_CLAIMS, PROVIDER_TYPES, PROVIDERS } from '../../src/provider/providers.ts'

test('the personal claims are those that are promised to be dropped', () => {
  assert.deepEqual([...PERSONAL_CLAIMS].sort(), [
    'actor',
    'groups_direct',
    'user_email',
    'user_identities',
    'user_login',
  ])
})

for (const type of PROVIDER_TYPES) {
  const provider: Provider = PROVIDERS[type]
  const file = type.toLowerCase()

  describe(`what is filed of ${provider.name}`, () => {
    test('has a policy with a test, and a schema of just its claims and their types', () => {
      const schema = JSON.parse(readFileSync(`${POLICIES_DIR}/schemas/${file}.json`, 'utf8'))
      const described = schema.properties.claims

      assert.ok(existsSync(`${POLICIES_DIR}/claimgate/${file}.rego`))
      assert.ok(existsSync(`${POLICIES_DIR}/claimgate/${file}_test.rego`))
      assert.equal(described.additionalProperties, false)
      const types = Object.entries<{ type?: string }>(described.properties).map(
        ([name, { type = 'string or array' }]) => [name, type] as const,
      )
      assert.deepEqual(
        types.sort(byName),
        [...provider.claims].map(([name, { type }]) => [name, type] as const).sort(byName),
      )
    })

    test('checks just those claims that its policy looks at', () => {
      const rego = readFileSync(`${POLICIES_DIR}/claimgate/${file}.rego`, 'utf8')
      const read = [...rego.matchAll(/\bclaims\.(\w+)/g)].map(([, name = '']) => name)

      const checked = [...provider.claims].filter(([, { file }]) => file === 'checked').map(([name]) => name)

      assert.deepEqual([...new Set([...read, 'nbf'])].sort(), checked.sort())
    })

    test('names claims that it knows', () => {
      const named = [
        ...Object.values(provider.names).filter((name) => name !== undefined),
        ...Object.values(provider.workload),
        ...provider.shownClaims,
        ...Object.keys(provider.sample),
        ...provider.environmentClaims,
        ...Object.keys(provider.since),
      ]

      assert.deepEqual(
        named.filter((name) => !provider.claims.has(name)),
        [],
      )
    })

    test('puts nothing personal into an access token', () => {
      assert.deepEqual(
        Object.values(provider.workload).filter((name) => PERSONAL_CLAIMS.includes(name)),
        [],
      )
    })

    test('has sources that may be listed, and no merge request among them', () => {
      const { usual, known, refused, startedBy, mergeRequest } = provider.sources

      assert.deepEqual(
        usual.filter((source) => !known.includes(source) || source in startedBy),
        [],
      )
      assert.deepEqual(
        Object.keys(startedBy).filter((source) => !known.includes(source)),
        [],
      )
      assert.deepEqual(
        known.filter((source) => source.startsWith(mergeRequest) || source in refused),
        [],
      )
    })
  })
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}
