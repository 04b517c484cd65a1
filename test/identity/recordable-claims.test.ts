import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordableClaims, unknownClaims } from '../../src/identity/recordable-claims.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'

const claims = {
  sub: 'project_path:g/p:ref_type:branch:ref:main',
  project_path: 'g/p',
  user_id: '1',
  user_login: 'jane',
  user_email: 'jane@example.com',
  user_identities: [{ provider: 'github', extern_uid: '2' }],
  groups_direct: ['g'],
  actor: 'jane',
}

test('personal claims are dropped', () => {
  assert.deepEqual(recordableClaims(claims, []), { sub: claims.sub, project_path: 'g/p', user_id: '1' })
})

test('personal claims that are listed are kept, in their place', () => {
  const kept = recordableClaims(claims, ['actor', 'user_login'])

  assert.deepEqual(Object.keys(kept), ['sub', 'project_path', 'user_id', 'user_login', 'actor'])
})

test('every other claim is kept, one called __proto__ too, and nothing is changed in place', () => {
  const odd = JSON.parse('{"__proto__": {"user_login": "x"}, "user_login": "x", "z": null}')

  const kept = recordableClaims(odd, [])

  assert.equal(JSON.stringify(kept), '{"__proto__":{"user_login":"x"},"z":null}')
  assert.equal(odd.user_login, 'x')
})

test('only claims that their provider is not known to send are unknown', () => {
  const more = { ...claims, constructor: 'x', brand_new: 1 }

  assert.deepEqual(unknownClaims(more, PROVIDERS.GITLAB), ['constructor', 'brand_new'])
  const github = { sub: 'x', repository: 'a/b', actor: 'jane', repo_property_tier: '1', project_path: 'a/b' }
  assert.deepEqual(unknownClaims(github, PROVIDERS.GITHUB), ['project_path'])
})
