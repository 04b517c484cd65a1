import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App } from '../../src/app.ts'
import {
  assertEchoable,
  assertNoToken,
  assertProblem,
  assertSafeHeaders,
  verdictOf,
} from '../support/answers.ts'
import { breakPolicy } from '../support/break-policy.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', title: 'Deploy', group: 'acme', project: 'app' }

for (const kind of DATABASES) {
  describe(`explaining a token on ${kind}`, () => {
    let world: World
    let email: string
    let second: App

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
      second = kind === 'postgresql' ? await world.startInstance() : world.app
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    const explain = (token: string, identity = email, url = world.app.url) =>
      world.request('POST', '/v1/auth:explainToken', { body: { token, email: identity }, url })
    const dryRuns = async (identity: string) =>
      (await world.decisions(identity)).filter((decision) => decision.kind === 'DRY_RUN')

    function assertExplained(answer: Answer, names: readonly string[]): void {
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(Object.keys(answer.json), names)
      assertSafeHeaders(answer)
      assertEchoable(answer)
      assertNoToken(answer)
    }

    test('a good token is explained as allowed, and issues nothing', async () => {
      const answer = await explain(sign())

      assertExplained(answer, ['outcome', 'reason', 'rules', 'conditions', 'guardrails'])
      assert.deepEqual([answer.json.outcome, answer.json.reason], ['ALLOWED', 'allowed'])
      assert.deepEqual(
        answer.json.rules.map(({ id, met }: { id: string; met: boolean }) => [id, met]),
        [['deploy', true]],
      )
      const [row] = await dryRuns(email)
      assert.deepEqual([row?.outcome, row?.reason], ['ALLOWED', 'allowed'])
      assert.deepEqual([row?.issuedKeyId, row?.issuedExpireTime], [null, null])
      assert.equal(verdictOf(row).allow, true)
    })

    test('it uses nothing up: the token can be exchanged afterwards', async () => {
      const token = sign()

      const explained = await explain(token)
      const exchanged = await world.exchange(token, email)

      assert.equal(explained.json.outcome, 'ALLOWED')
      assert.equal(exchanged.status, 200, exchanged.text)
    })

    test('a token that was exchanged is explained as allowed and as already used, on every instance', async () => {
      const token = sign()
      await world.exchange(token, email)

      for (const url of [world.app.url, second.url]) {
        const answer = await explain(token, email, url)

        assertExplained(answer, ['outcome', 'reason', 'rules', 'conditions', 'guardrails', 'alreadyUsed'])
        assert.deepEqual([answer.json.outcome, answer.json.alreadyUsed], ['ALLOWED', true])
      }
    })

    test('one that was refused is not used', async () => {
      const token = sign({ project_path: 'acme/other' })
      assert.equal((await world.exchange(token, email)).status, 403)

      const answer = await explain(token)

      assert.equal(answer.json.alreadyUsed, undefined)
    })

    test('that it was used is not told where it may be used many times', async () => {
      const many = await world.createIdentity([RULE], { identity: { subjectTokenUse: 'MANY' } })
      const token = sign()
      await world.exchange(token, many)
      await world.exchange(token, email)

      const answer = await explain(token, many)

      assertExplained(answer, ['outcome', 'reason', 'rules', 'conditions', 'guardrails'])
      assert.equal(answer.json.outcome, 'ALLOWED')
      assert.equal((await world.exchange(token, many)).status, 200)
    })

    test('inside the group it says what an exchange would have said, of the rules whose group is met', async () => {
      const identity = await world.createIdentity([
        { ...RULE, project: 'other', refs: [{ type: 'BRANCH', pattern: 'release/*' }] },
        { ...RULE, id: 'hidden', title: 'Merger', group: 'acme-secret', project: 'plans' },
      ])
      const token = sign()

      const answer = await explain(token, identity)
      const refused = await world.exchange(token, identity)

      assertExplained(answer, ['outcome', 'reason', 'message', 'rules', 'conditions', 'guardrails'])
      assert.deepEqual([answer.json.outcome, answer.json.reason], ['DENIED', 'condition_not_met'])
      assert.equal(answer.json.message, refused.json.message)
      const { rules, conditions, guardrails } = refused.json.details[0]
      assert.deepEqual(
        [answer.json.rules, answer.json.conditions, answer.json.guardrails],
        [rules, conditions, guardrails],
      )
      assert.doesNotMatch(answer.text, /hidden|Merger|acme-secret|plans/)
    })

    test('inside the group a wrong audience is told, with what is expected', async () => {
      const answer = await explain(sign({ aud: 'https://elsewhere.example' }))

      assertExplained(answer, ['outcome', 'reason', 'message', 'rules', 'conditions', 'guardrails'])
      assert.equal(answer.json.reason, 'token_audience')
      assert.ok(answer.json.message.includes(`'${world.gitlab.issuerUrl}'`))
    })

    test('outside of the group it says no and nothing else, with the same bytes whatever is the matter', async () => {
      const deleted = await world.createIdentity([RULE])
      await world.admin('DELETE', `/v1/workloadIdentities/${deleted}`)
      const issuerUrl = 'https://gitlab.example.org'
      const identities: readonly (readonly [identity: string, reason: string])[] = [
        [`nobody@${IDENTITY_DOMAIN}`, 'identity_unknown'],
        [deleted, 'identity_inactive'],
        [await world.createIdentity([RULE], { config: { issuerUrl } }), 'identity_issuer'],
        [await world.createIdentity([{ ...RULE, group: 'others' }]), 'condition_not_met'],
        ...(await withFailingPolicy()),
      ]
      const texts = new Set<string>()
      for (const [identity, reason] of identities) {
        for (const [token, recorded] of [
          [sign(), reason],
          [sign({ aud: ['a', 'b'] }), /^identity_/.test(reason) ? reason : 'token_audience'],
        ] as const) {
          const answer = await explain(token, identity)

          assertExplained(answer, ['outcome'])
          texts.add(answer.text)
          const [row] = await dryRuns(identity)
          assert.equal(row?.reason, recorded)
          assert.equal(row?.outcome, recorded.startsWith('policy_') ? 'FAILED' : 'DENIED')
        }
      }
      assert.deepEqual([...texts], ['{"outcome":"DENIED"}'])
    })

    test('outside of the group nothing tells that a token was used', async () => {
      const identity = await world.createIdentity([{ ...RULE, group: 'others' }])
      const token = sign()
      await world.exchange(token, email)

      assert.equal((await explain(token, identity)).text, '{"outcome":"DENIED"}')
    })

    test('of a token that does not verify it says the reason, whether there is such an identity or not', async () => {
      const reasons = {
        token_malformed: 'not.a.token',
        token_signature: `${sign().slice(0, -8)}AAAAAAAA`,
        token_expired: sign({ exp: 1 }),
        token_claims: sign({ jti: 7 }),
      }
      for (const [reason, token] of Object.entries(reasons)) {
        for (const identity of [email, `nobody@${IDENTITY_DOMAIN}`]) {
          const answer = await explain(token, identity)

          assertExplained(answer, ['outcome', 'reason'])
          assert.deepEqual(answer.json, { outcome: 'DENIED', reason })
          assert.equal((await dryRuns(identity))[0]?.reason, reason)
        }
      }
    })

    test('an issuer that does not answer is a 503, as for an exchange', async (t) => {
      const other = await startWorld(kind)
      t.after(() => other.close())
      const identity = await other.createIdentity([RULE])
      other.gitlab.behave({ discovery: { status: 500 }, jwks: { status: 500 } })
      const token = other.gitlab.signToken(gitlabClaims('18.4'))

      const answer = await other.request('POST', '/v1/auth:explainToken', {
        body: { token, email: identity },
      })

      assertProblem(answer, 503, 14, /retry|later|fetched|answer/i)
      assert.equal(answer.json.details[0].reason, 'issuer_unavailable')
      assertEchoable(answer)
      const row = await other.lastDecision(identity)
      assert.deepEqual([row.kind, row.outcome], ['DRY_RUN', 'FAILED'])
    })

    test('a token has one row for each identity, however often and wherever it is explained', async () => {
      const identity = await world.createIdentity([{ ...RULE, project: 'other' }])
      const other = await world.createIdentity([RULE])
      const [token, bad] = [sign(), 'one.bad.token']

      const answers = await Promise.all(
        [world.app.url, second.url].flatMap((url) =>
          Array.from({ length: 20 }, () => explain(token, identity, url)),
        ),
      )
      await explain(token, other)
      // Ids that two instances make in one millisecond are in no order.
      world.clock.advance(1)
      for (let n = 0; n < 3; n++) await explain(bad, identity)

      for (const answer of answers) assert.deepEqual(answer.json, answers[0]?.json)
      assert.deepEqual(
        (await dryRuns(identity)).map(({ reason, count }) => [reason, count]),
        [
          ['token_malformed', 1],
          ['condition_not_met', 1],
        ],
      )
      assert.equal((await dryRuns(other)).length, 1)
    })

    test('a change of the identity holds for the next explanation on every instance', async () => {
      const id = `explained-${kind}`
      const identity = await world.createIdentity([{ ...RULE, project: 'other' }], { id })
      const token = sign()
      for (const url of [world.app.url, second.url])
        assert.equal((await explain(token, identity, url)).json.outcome, 'DENIED')

      await world.admin('DELETE', `/v1/workloadIdentities/${identity}`)
      await world.createIdentity([RULE], { id })

      for (const url of [second.url, world.app.url])
        assert.equal((await explain(token, identity, url)).json.outcome, 'ALLOWED')
      assert.equal((await dryRuns(identity)).length, 1)
    })

    test('its texts survive the echo of a job’s script', async () => {
      const identity = await world.createIdentity([
        { ...RULE, title: 'All * of [it]?', refs: [{ type: 'BRANCH', pattern: 'release/*' }] },
      ])
      for (const claims of [{}, { ref: 'a * b ? [x] \\ "q"' }, { ref: 'line\nbreak\u001b[31m' }])
        assertEchoable(await explain(sign(claims), identity))
    })

    test('what is no request of this kind is refused, with the field named', async () => {
      const post = (body: unknown) => world.request('POST', '/v1/auth:explainToken', { body })

      assertProblem(await post({ email }), 400, 3, 'token is required')
      assertProblem(await post({ token: 'x' }), 400, 3, 'email is required')
      assertProblem(await post({ token: 'x', email: 'x' }), 400, 3, /^email is malformed/)
      assertProblem(await post({ token: 'x', email, audience: 'https://x.example' }), 400, 3, /audience/)
      assertProblem(await post({ token: 7, email }), 400, 3, /token/)
      assertProblem(await post({ token: 'x'.repeat(40_000), email }), 413, 3, /32 KiB/)
      const get = await world.request('GET', '/v1/auth:explainToken')
      assertProblem(get, 405, 12, /POST/)
      assert.equal(get.headers.get('allow'), 'POST')
    })

    /** A state that no call leads to. */
    async function withFailingPolicy(): Promise<readonly (readonly [string, string])[]> {
      if (world.databaseUrl === undefined) return []
      const broken = await world.createIdentity([RULE])
      await breakPolicy(world, broken)
      return [[broken, 'policy_error']]
    }
  })
}
