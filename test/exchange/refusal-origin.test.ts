import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Disclosure } from '../../src/exchange/decide.ts'
import { refusalOrigin } from '../../src/exchange/refusal-origin.ts'
import type { JsonObject } from '../../src/json.ts'
import type { ProviderType } from '../../src/provider/providers.ts'
import { denied } from '../decision/sample-decisions.ts'

const GROUND = {
  email: 'deploy@workload.example.com',
  identityId: '0',
  identityRevision: '1',
  issuerUrl: 'https://gitlab.example.com',
  issuerRevision: '1',
}
const unverified = (callerIp: string) =>
  refusalOrigin(denied(GROUND, { callerIp }), { scope: 'token', message: '', token: undefined })
const verified = (
  claims: JsonObject,
  scope: 'inside' | 'outside' = 'outside',
  provider: ProviderType = 'GITLAB',
) => refusalOrigin(denied(GROUND), { scope, token: { provider, claims } } as Disclosure)

describe('a refusal counts among those', () => {
  test('of its address, of which an IPv6 caller has 64 bits to choose from', () => {
    const addresses = {
      '198.51.100.7': '198.51.100.7',
      '::ffff:198.51.100.7': '198.51.100.7',
      '::ffff:c633:6407': '198.51.100.7',
      '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
      '2001:0DB8:0001:0002::': '2001:db8:1:2::/64',
      '2001:db8:1:3::1': '2001:db8:1:3::/64',
      '::1': '::/64',
      '': '',
      'no address': 'no address',
    }

    const origins = Object.keys(addresses).map(unverified)

    assert.deepEqual(
      origins,
      Object.values(addresses).map((callerIp) => ({
        isVerified: false,
        callerIp,
        issuerUrl: null,
        claims: null,
      })),
    )
  })

  test("of its issuer's project, inside and outside the identity's group alike", () => {
    const claims = { project_id: '20', project_path: 'acme/app', sub: 'any' }

    assert.deepEqual(verified(claims, 'inside'), verified(claims, 'outside'))
    assert.deepEqual(verified(claims), {
      isVerified: true,
      callerIp: null,
      issuerUrl: GROUND.issuerUrl,
      claims: '{"project_id":"20"}',
    })
    assert.equal(verified({ repository_id: '7' }, 'outside', 'GITHUB').claims, '{"repository_id":"7"}')
  })

  test('of all that name no project of their issuer, where it names none', () => {
    for (const project_id of [undefined, 20, null, ['20'], 'x'.repeat(256)])
      assert.equal(verified({ project_id } as JsonObject).claims, null)
  })
})
