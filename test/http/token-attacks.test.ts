import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  assertEchoable,
  assertNoToken,
  assertProblem,
  assertSafeHeaders,
  DECISION_ID,
} from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { publicJwk } from '../support/token-issuer.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'
import {
  ACCEPTED,
  allClaims,
  good,
  type Made,
  type Make,
  members,
  other,
  signedBy,
  UNVERIFIED,
  VERIFIED,
  WEAK_KEYS,
  withClaims,
} from './forged-tokens.ts'

for (const kind of ONE_DATABASE) {
  describe(`tokens that are attacks, on ${kind}`, () => {
    let world: World
    let email: string
    let own: string

    before(async () => {
      world = await startWorld(kind)
      const keys = [publicJwk(world.gitlab.key), ...WEAK_KEYS]
      world.gitlab.behave({ jwks: { body: JSON.stringify({ keys }) } })
      email = await world.createIdentity([{ group: 'acme', project: 'app' }])
      own = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)).json.accessToken
      assert.ok(own)
    })
    after(() => world?.close())

    const made = (): Made => ({ world, now: Math.floor(world.clock() / 1000), own })

    for (const [name, reason, make, isVerified] of [
      ...UNVERIFIED.map((attack) => [...attack, false] as const),
      ...VERIFIED.map((attack) => [...attack, true] as const),
    ]) {
      test(`${name}: ${reason}`, async () => {
        const token = make(made())

        const answer = await world.exchange(token, email)

        assertProblem(answer, 401, 16, /^Token exchange denied\. \S/)
        assertNoToken(answer)
        assertEchoable(answer)
        const [details] = answer.json.details
        assert.equal(details.reason, reason, answer.text)
        assert.match(details.decisionId, DECISION_ID)
        assert.equal(details.token !== undefined, isVerified, 'only of a verified token anything is repeated')
        const decision = (await world.admin('GET', `/v1/decisions/${details.decisionId}`)).json
        assert.equal(decision.kind, 'EXCHANGE')
        assert.equal(decision.outcome, 'DENIED')
        assert.equal(decision.reason, reason)
        assert.equal(decision.identity, email)
        assert.equal(decision.verdict, null)
        assert.equal(decision.claims !== null, isVerified)
        if (!isVerified) assert.equal(decision.subject, null)
        assert.equal(decision.issuedKeyId, null)
        assert.equal(decision.subjectTokenHash, createHash('sha256').update(token).digest('hex'))
        assertNoToken({ ...answer, text: JSON.stringify(decision) })
        const next = await world.exchange(good(made()), email)
        assert.equal(next.status, 200, next.text)
      })
    }

    for (const [name, make] of ACCEPTED) {
      test(`${name}: allowed`, async () => {
        const token = make(made())

        const answer = await world.exchange(token, email)

        assert.equal(answer.status, 200, answer.text)
        assertSafeHeaders(answer)
        assertEchoable(answer)
        const decision = (await world.admin('GET', `/v1/decisions/${answer.json.decisionId}`)).json
        const { user_login: _login, user_email: _email, ...claims } = payloadOf(token)
        assert.equal(
          JSON.stringify(decision.claims),
          JSON.stringify(claims),
          'claims are recorded as they were sent',
        )
      })
    }

    test('a token of the largest size is read, one of a character more is not', async () => {
      const sized = (length: number) => good(made(), { x: 'y'.repeat(length) })
      let length = Math.floor(((16 * 1024 - sized(0).length) * 3) / 4) - 3
      while (sized(length + 1).length <= 16 * 1024) length++
      assert.ok(16 * 1024 - sized(length).length <= 2)

      const largest = await world.exchange(sized(length), email)
      const larger = await world.exchange(sized(length + 1), email)

      assert.equal(largest.status, 200, largest.text)
      assert.equal(larger.json.details[0].reason, 'token_malformed')
    })

    test('500 members are read', async () => {
      const count = Object.keys(allClaims(made())).length

      const answer = await world.exchange(good(made(), members(500 - count)), email)

      assert.equal(answer.status, 200, answer.text)
    })

    test('tokens with unknown keys make one fetch in fifteen seconds', async () => {
      await world.exchange(good(made()), email)
      world.clock.advance(15_000)
      const before = world.gitlab.requests.jwks

      await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          world.exchange(signedBy(other.privateKey, { kid: `k${n}` })(made()), email),
        ),
      )

      assert.equal(world.gitlab.requests.jwks, before + 1)
    })

    test('reasons are worded for the author of a job', async () => {
      const { now } = made()
      const wordings: readonly (readonly [make: Make, message: RegExp])[] = [
        [withClaims({ iat: now - 7200, nbf: now - 7200, exp: now - 240 }), /expired 4 minutes ago/],
        [
          withClaims({ iss: 'https://gitlab.example.org' }),
          /issuer https:\/\/gitlab\.example\.org is not registered/,
        ],
        [withClaims({ iat: now - 100_000, exp: now + 60 }), /24 hours|1 day/],
        [({ own: token }) => token, /access token/],
        [withClaims({ jti: undefined }), /jti is missing/],
      ]
      for (const [make, message] of wordings) {
        const answer = await world.exchange(make(made()), email)

        assertProblem(answer, 401, 16, message)
      }
    })
  })
}

function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
