import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import {
  assertEchoable,
  assertNoToken,
  assertProblem,
  assertSafeHeaders,
  DECISION_ID,
  verdictOf,
} from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { publicJwk, signJws } from '../support/token-issuer.ts'
import { type Answer, DATABASES, startWorld, type World } from '../support/world.ts'

const PUBLIC_URL = 'https://claimgate.example.com'
const RULE = {
  id: 'deploy',
  group: 'acme',
  project: 'app',
  refs: [{ type: 'BRANCH', pattern: 'main' }],
  roles: ['roles/gitopsServiceAgent'],
}

for (const kind of DATABASES) {
  describe(`exchanging a token on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const jobToken = (claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))

    test('a good token gives exactly accessToken, tokenType, expiresIn and decisionId', async () => {
      const answer = await world.exchange(jobToken(), email)

      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(Object.keys(answer.json), ['accessToken', 'tokenType', 'expiresIn', 'decisionId'])
      assert.match(answer.json.accessToken, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
      assert.equal(answer.json.tokenType, 'Bearer')
      assert.equal(answer.json.expiresIn, 3600)
      assert.match(answer.json.decisionId, DECISION_ID)
      assertSafeHeaders(answer)
      assertEchoable(answer)
    })

    test('the access token is an RFC 9068 token that jose verifies against the published keys', async () => {
      const issued = await world.exchange(jobToken({ pipeline_id: '77', job_id: '88' }), email)
      const jwks = await world.request('GET', '/.well-known/jwks.json')

      const { payload, protectedHeader } = await jwtVerify(
        issued.json.accessToken,
        createLocalJWKSet(jwks.json),
        {
          algorithms: ['ES256'],
          typ: 'at+jwt',
          issuer: PUBLIC_URL,
          audience: PUBLIC_URL,
          subject: email,
          currentDate: new Date(world.clock()),
        },
      )

      const now = Math.floor(world.clock() / 1000)
      assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'at+jwt', kid: jwks.json.keys[0].kid })
      const { workload, ...claims } = payload as Record<string, unknown> & {
        workload: Record<string, string>
      }
      assert.deepEqual(claims, {
        iss: PUBLIC_URL,
        sub: email,
        aud: PUBLIC_URL,
        client_id: email,
        iat: now,
        nbf: now,
        exp: now + 3600,
        jti: issued.json.decisionId,
        roles: ['roles/gitopsServiceAgent'],
        rules: ['deploy'],
      })
      assert.equal(workload.provider, 'GITLAB')
      assert.equal(workload.project_path, 'acme/app')
      assert.equal(workload.ref_path, 'refs/heads/main')
      assert.equal(workload.pipeline_id, '77')
      assert.equal(workload.job_id, '88')
      assert.doesNotMatch(JSON.stringify(payload), /sample-user|user_/)
    })

    test('the access token is verified by node:crypto alone, and the published key has no private part', async () => {
      const issued = await world.exchange(jobToken(), email)
      const jwks = await world.request('GET', '/.well-known/jwks.json')

      const [header = '', payload = '', signature = ''] = issued.json.accessToken.split('.')
      const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
      const jwk = jwks.json.keys.find((key: { kid: string }) => key.kid === kid)
      const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }

      assert.ok(
        verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')),
      )
      assert.deepEqual(Object.keys(jwk).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      assert.equal(jwks.headers.get('cache-control'), 'public, max-age=300')
    })

    test('the decision is recorded before the token leaves, with what was decided and why', async () => {
      const token = jobToken({ user_login: 'jane.doe' })

      const issued = await world.request('POST', '/v1/auth:exchangeToken', {
        body: { token, email },
        ip: '198.18.7.7',
        headers: { 'user-agent': 'curl/8', 'x-request-id': 'job-302' },
      })

      const decision = (await world.admin('GET', `/v1/decisions/${issued.json.decisionId}`)).json
      const identity = (await world.admin('GET', `/v1/workloadIdentities/${email}`)).json
      assert.equal(issued.headers.get('x-request-id'), 'job-302')
      assert.equal(decision.name, `decisions/${issued.json.decisionId}`)
      assert.equal(decision.kind, 'EXCHANGE')
      assert.equal(decision.outcome, 'ALLOWED')
      assert.equal(decision.reason, 'allowed')
      assert.equal(decision.identity, email)
      assert.equal(decision.issuerUrl, world.gitlab.issuerUrl)
      assert.equal(decision.subject, 'project_path:acme/app:ref_type:branch:ref:main')
      assert.equal(decision.policyDigest, identity.policyDigest)
      assert.equal(decision.subjectTokenHash, createHash('sha256').update(token).digest('hex'))
      assert.equal(decision.subjectKeyId, world.gitlab.key.kid)
      assert.equal(decision.issuedExpireTime, new Date(world.clock() + 3_600_000).toISOString())
      assert.equal(decision.decideTime, new Date(world.clock()).toISOString())
      assert.equal(decision.requestId, 'job-302')
      assert.equal(decision.callerIp, '198.18.7.7')
      assert.equal(decision.userAgent, 'curl/8')
      assert.equal(decision.count, 1)
      assert.equal(decision.verdict.allow, true)
      assert.deepEqual(decision.verdict.roles, ['roles/gitopsServiceAgent'])
      assert.equal(decision.claims.project_path, 'acme/app')
      assert.equal(decision.claims.user_login, undefined)
    })

    test('the token carries the roles and ids of the rules that are met, and of no other', async () => {
      const several = await world.createIdentity([
        { id: 'a', group: 'acme', roles: ['roles/auditor', 'roles/gitopsServiceAgent'] },
        { id: 'b', group: 'acme', project: 'app', roles: ['roles/auditor'] },
        { id: 'c', group: 'acme', project: 'other', roles: ['roles/workspaceAdmin'] },
        { id: 'd', group: 'acme', disabled: true, roles: ['roles/policyAuthor'] },
      ])

      const issued = await world.exchange(jobToken(), several)

      assert.equal(issued.status, 200, issued.text)
      const claims = payloadOf(issued)
      assert.deepEqual(claims.roles, ['roles/auditor', 'roles/gitopsServiceAgent'])
      assert.deepEqual(claims.rules, ['a', 'b'])
    })

    test("the identity's own lifetime and not the caller's wish decides how long the token lives", async () => {
      const short = await world.createIdentity([RULE], { identity: { tokenLifetimeSeconds: 90 } })

      const issued = await world.exchange(jobToken(), short)

      assert.equal(issued.json.expiresIn, 90)
      const { iat, exp } = payloadOf(issued) as { iat: number; exp: number }
      assert.equal(exp - iat, 90)
    })

    test('a token is exchanged once: the second answer says when and by which decision it was used', async () => {
      const token = jobToken()
      const first = await world.exchange(token, email)
      const usedAt = new Date(world.clock()).toISOString()
      world.clock.advance(5_000)

      const second = await world.exchange(token, email)

      assertProblem(second, 403, 7, /used 5 seconds ago/)
      assert.ok(second.json.message.includes(usedAt), second.json.message)
      assert.ok(second.json.message.includes(first.json.decisionId), second.json.message)
      assert.match(second.json.message, /retry the job/)
      assert.equal(second.json.details[0].reason, 'token_replayed')
      assertNoToken(second)
      assertEchoable(second)
      const [replay, use] = await decisionsOf(token)
      assert.equal(use?.outcome, 'ALLOWED')
      assert.equal(replay?.outcome, 'DENIED')
      assert.equal(replay?.reason, 'token_replayed')
      assert.equal(verdictOf(replay).allow, true)
      assert.equal(replay?.issuedKeyId, null)
      assert.equal(replay?.issuedExpireTime, null)
    })

    test('a token that one identity used up is used up for every other', async () => {
      const other = await world.createIdentity([RULE])
      const token = jobToken()
      await world.exchange(token, email)

      const answer = await world.exchange(token, other)

      assert.equal(answer.json.details[0].reason, 'token_replayed')
    })

    test('an identity that says MANY takes a token as often as it comes', async () => {
      const many = await world.createIdentity([RULE], { identity: { subjectTokenUse: 'MANY' } })
      const token = jobToken()

      const answers = [await world.exchange(token, many), await world.exchange(token, many)]

      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200],
      )
      assert.notEqual(answers[0]?.json.decisionId, answers[1]?.json.decisionId)
      assert.equal((await world.exchange(token, email)).status, 200, 'MANY neither claims nor looks')
    })

    test('a refusal uses no token up', async () => {
      const token = jobToken()
      const refused = [
        await world.exchange(token, email, { audience: 'https://elsewhere.example.com' }),
        await world.exchange(token, `nobody@${email.split('@')[1]}`),
        await world.exchange(`${token.slice(0, -4)}AAAA`, email),
      ]

      const answer = await world.exchange(token, email)

      assert.deepEqual(
        refused.map(({ status }) => status),
        [403, 401, 401],
      )
      assert.equal(answer.status, 200, answer.text)
    })

    test('tokens of two issuers with one jti are two tokens', async () => {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const issuerUrl = 'https://gitlab.other.example.com'
      const registered = await world.admin('POST', '/v1/issuers?issuerId=other-gitlab', {
        issuerUrl,
        providerType: 'GITLAB',
        jwks: { keys: [publicJwk({ kid: 'other', publicKey, privateKey })] },
      })
      const other = await world.createIdentity([RULE], { config: { issuerUrl } })
      const claims = { ...gitlabClaims('18.4'), jti: 'one-and-the-same' }
      const now = Math.floor(world.clock() / 1000)
      const times = { aud: issuerUrl, iss: issuerUrl, iat: now, nbf: now, exp: now + 60 }

      const ours = await world.exchange(world.gitlab.signToken(claims), email)
      const theirs = await world.exchange(
        signJws({ alg: 'RS256', kid: 'other' }, { ...claims, ...times }, privateKey),
        other,
      )

      assert.equal(registered.status, 200, registered.text)
      assert.equal(ours.status, 200, ours.text)
      assert.equal(theirs.status, 200, theirs.text)
    })

    test('an ECDSA signature written in its other form is still the same token', async () => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const issuerUrl = 'https://ecdsa.example.com'
      const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
      await world.admin('POST', '/v1/issuers?issuerId=ecdsa', {
        issuerUrl,
        providerType: 'GITLAB',
        algorithms: ['ES256'],
        jwks: { keys: [{ kty, crv, x, y, kid: 'ec', use: 'sig' }] },
      })
      const identity = await world.createIdentity([RULE], { config: { issuerUrl } })
      const now = Math.floor(world.clock() / 1000)
      const claims = {
        ...gitlabClaims('18.4'),
        iss: issuerUrl,
        aud: issuerUrl,
        iat: now,
        exp: now + 60,
        jti: 'ec-1',
      }
      const token = signJws({ alg: 'ES256', kid: 'ec', typ: 'JWT' }, claims, privateKey)

      const first = await world.exchange(token, identity)
      const second = await world.exchange(withOtherSignature(token), identity)

      assert.equal(first.status, 200, first.text)
      assert.equal(second.json.details[0].reason, 'token_replayed')
    })

    test('an audience that the identity lists is what the token is for; any other is refused', async () => {
      const tokenAudiences = ['https://deploy.example.com', 'urn:example:registry']
      const identity = await world.createIdentity([RULE], { identity: { tokenAudiences } })

      const ours = await world.exchange(jobToken(), identity, { audience: PUBLIC_URL })
      const listed = await world.exchange(jobToken(), identity, { audience: 'urn:example:registry' })
      const inside = await world.exchange(jobToken(), identity, { audience: 'https://deploy.example.com/' })
      const outside = await world.exchange(jobToken({ project_path: 'evil/app' }), identity, {
        audience: 'x',
      })

      assert.equal(payloadOf(ours).aud, PUBLIC_URL)
      assert.equal(payloadOf(listed).aud, 'urn:example:registry')
      assertProblem(inside, 403, 7, /audience is 'https:\/\/deploy\.example\.com\/'/)
      assert.equal(inside.json.details[0].reason, 'audience_not_allowed')
      assertProblem(outside, 401, 16, 'Token exchange denied.')
      const [last, before] = await world.decisions(identity)
      assert.equal(last?.reason, 'audience_not_allowed')
      assert.equal(before?.reason, 'audience_not_allowed')
      assert.equal(verdictOf(before).allow, true)
    })

    test('a token whose aud is not exactly one listed audience is refused, with the policy evaluated all the same', async () => {
      const identity = await world.createIdentity([RULE], {
        config: { allowedAudiences: ['https://a.example', 'https://b.example'] },
      })
      const cases: readonly (readonly [aud: unknown, claims: object, status: number])[] = [
        ['https://a.example', {}, 200],
        [['https://b.example'], {}, 200],
        [['https://a.example', 'https://b.example'], {}, 403],
        [['https://a.example', 'https://a.example'], {}, 403],
        [[], {}, 403],
        ['https://a.example/', {}, 403],
        ['HTTPS://a.example', {}, 403],
        [world.gitlab.issuerUrl, {}, 403],
        ['', {}, 403],
        [['https://a.example', 'x'], { project_path: 'evil/app' }, 401],
      ]
      for (const [aud, claims, status] of cases) {
        const answer = await world.exchange(jobToken({ aud, ...claims }), identity)

        assert.equal(answer.status, status, `${JSON.stringify(aud)}: ${answer.text}`)
        const decision = await world.lastDecision(identity)
        assert.equal(decision?.reason, status === 200 ? 'allowed' : 'token_audience')
        assert.notEqual(decision?.verdict, null)
        if (status !== 403) continue
        assert.equal(answer.json.details[0].reason, 'token_audience')
        assert.match(answer.json.message, /'https:\/\/a\.example' or 'https:\/\/b\.example'/)
      }
    })

    test('a token of an issuer that does not answer is a 503 that the job may try again', async () => {
      world.gitlab.behave({ jwks: { status: 500 }, discovery: { status: 500 } })
      world.clock.advance(2 * 3_600_000)

      const down = await world.exchange(jobToken(), email)
      const decision = await world.lastDecision(email)
      world.gitlab.behave()
      world.clock.advance(60_000)
      const up = await world.exchange(jobToken(), email)

      assertProblem(down, 503, 14, /issuer/)
      assertNoToken(down)
      assertEchoable(down)
      assert.equal(decision?.outcome, 'FAILED')
      assert.equal(decision?.reason, 'issuer_unavailable')
      assert.equal(decision?.claims, null)
      assert.equal(up.status, 200, up.text)
    })

    /** Newest first. */
    async function decisionsOf(token: string): Promise<readonly Record<string, unknown>[]> {
      const hash = createHash('sha256').update(token).digest('hex')
      return (await world.decisions(email)).filter((decision) => decision.subjectTokenHash === hash)
    }
  })
}

function payloadOf(answer: Answer): Record<string, unknown> {
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(Buffer.from(answer.json.accessToken.split('.')[1], 'base64url').toString())
}

/** The order of the P-256 group: (r, s) and (r, n - s) verify alike. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

function withOtherSignature(token: string): string {
  const parts = token.split('.')
  const signature = Buffer.from(parts[2] ?? '', 'base64url').toString('hex')
  const s = P256_ORDER - BigInt(`0x${signature.slice(64)}`)
  const other = Buffer.from(signature.slice(0, 64) + s.toString(16).padStart(64, '0'), 'hex')
  return [parts[0], parts[1], other.toString('base64url')].join('.')
}
