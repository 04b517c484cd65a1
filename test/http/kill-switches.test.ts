import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, IDENTITY_DOMAIN, runSql, startWorld, type World } from '../support/world.ts'

const AUDITOR = 'roles/auditor'
const RULE = { id: 'deploy', group: 'acme', roles: [AUDITOR] }
const OTHER = { id: 'other', group: 'acme', roles: [] }

for (const kind of DATABASES) {
  describe(`ending access tokens on ${kind}`, () => {
    let world: World
    let issuer: string

    before(async () => {
      world = await startWorld(kind)
      await world.createIdentity([RULE])
      issuer = (await world.admin('GET', '/v1/issuers')).json.issuers[0].name
    })
    after(() => world?.close())

    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    async function signIn(email: string): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const counts = async (token: string, url = world.app.url) =>
      (await world.request('GET', '/v1/users/me', { headers: bearer(token), url })).status === 200
    const name = (email: string) => `/v1/workloadIdentities/${email}`
    const revokeTokens = (email: string) => world.admin('POST', `${name(email)}:revokeTokens`)
    const countTokens = async (email: string) => (await world.admin('GET', `${name(email)}:countTokens`)).json

    test('all tokens that an identity has end at once on every instance, and are counted', async () => {
      const [email, other] = [await world.createIdentity([RULE]), await world.createIdentity([RULE])]
      const tokens = [await signIn(email), await signIn(email), await signIn(email)]
      const untouched = await signIn(other)
      const instance = kind === 'embedded' ? world.app : await world.startInstance()
      assert.equal(await counts(tokens[0] ?? '', instance.url), true)

      const answer = await revokeTokens(email)

      assert.equal(answer.status, 200, answer.text)
      const { etag, ...counted } = answer.json
      assert.deepEqual(counted, { revokedTokens: 3, isComplete: true })
      assertSafeHeaders(answer)
      for (const token of tokens) {
        assert.equal(await counts(token), false)
        assert.equal(await counts(token, instance.url), false)
      }
      assert.equal(await counts(untouched), true)
      assert.equal((await world.admin('GET', name(email))).json.etag, etag)
    })

    test('a token of the very same moment counts where it is issued after the revocation', async () => {
      const email = await world.createIdentity([RULE])
      const before = await signIn(email)
      await revokeTokens(email)

      const after = await signIn(email)
      const again = await revokeTokens(email)

      assert.equal(again.json.revokedTokens, 1)
      assert.deepEqual([await counts(before), await counts(after)], [false, false])
      assert.equal(await counts(await signIn(email)), true)
    })

    test('of tokens that are issued meanwhile those count that are decided afterwards, whatever is in flight', async () => {
      const email = await world.createIdentity([RULE])
      for (let round = 0; round < 3; round++) {
        const early = await signIn(email)
        const inFlight = Array.from({ length: 12 }, () => signIn(email))

        const revoked = await revokeTokens(email)
        const late = await signIn(email)
        await Promise.all(inFlight)

        assert.equal(revoked.status, 200, revoked.text)
        assert.deepEqual([await counts(early), await counts(late)], [false, true])
      }
    })

    test('a token whose decision is being recorded while all tokens are revoked does not count', async () => {
      if (world.databaseUrl === undefined) return
      const email = await world.createIdentity([RULE])
      const claims = { ...gitlabClaims('18.4'), jti: randomUUID() }
      const client = new pg.Client({ connectionString: world.databaseUrl })
      await client.connect()
      try {
        // Whoever claims the same token waits for this, and has looked at the identity's revision before.
        await client.query('begin')
        await client.query(
          `insert into used_tokens (issuer_url, jti_hash, decision_id, use_time, keep_until)
             values ($1, sha256($2::bytea), gen_random_uuid(), now(), now())`,
          [world.gitlab.issuerUrl, Buffer.from(String(claims.jti))],
        )
        const exchange = world.exchange(world.gitlab.signToken(claims), email)
        const isWaiting = `select from pg_locks where not granted and locktype = 'transactionid'`
        while ((await runSql(world.databaseUrl, isWaiting)).length === 0);
        await revokeTokens(email)
        await client.query('rollback')

        const answer = await exchange

        assert.equal(answer.status, 200, answer.text)
        assert.equal(await counts(answer.json.accessToken), false)
      } finally {
        await client.end()
      }
    })

    test('a decision that was made on the identity as it was before is made anew, and its token counts', async () => {
      const email = await world.createIdentity([RULE])
      const instance = kind === 'embedded' ? world.app : await world.startInstance()
      const sign = () => world.gitlab.signToken(gitlabClaims('18.4'))
      const exchange = () =>
        world.request('POST', '/v1/auth:exchangeToken', { url: instance.url, body: { token: sign(), email } })
      assert.equal((await exchange()).status, 200)

      // What the other instance remembers of the identity is out of date from here on.
      await revokeTokens(email)
      const answer = await exchange()

      assert.equal(answer.status, 200, answer.text)
      assert.equal(await counts(answer.json.accessToken), true)
    })

    test('what was revoked stays so when the identity is disabled and enabled, deleted and brought back', async () => {
      const email = await world.createIdentity([RULE])
      const token = await signIn(email)
      await revokeTokens(email)

      await world.admin('PATCH', name(email), { state: 'DISABLED' })
      await world.admin('PATCH', name(email), { state: 'ACTIVE' })
      await world.admin('DELETE', name(email))
      await world.admin('POST', `${name(email)}:undelete`)

      assert.equal(await counts(token), false)
    })

    test('nothing of the identity changes but its etag, and there is no version of it', async () => {
      const email = await world.createIdentity([RULE])
      const { etag, ...before } = (await world.admin('GET', name(email))).json

      await revokeTokens(email)

      const { etag: other, ...after } = (await world.admin('GET', name(email))).json
      assert.notEqual(other, etag)
      assert.deepEqual(after, before)
      assert.equal((await world.admin('GET', `${name(email)}/policyVersions`)).json.policyVersions.length, 1)
    })

    test('tokens are revoked by who may change the identity, for the etag that is asked for', async () => {
      const email = await world.createIdentity([{ ...RULE, roles: ['roles/workspaceAdmin'] }])
      const [author, auditor] = [
        await signIn(await world.createIdentity([{ ...RULE, roles: ['roles/policyAuthor'] }])),
        await signIn(await world.createIdentity([RULE])),
      ]
      const token = await signIn(email)
      const path = `${name(email)}:revokeTokens`
      const as = (headers: Record<string, string>) => world.request('POST', path, { headers })

      assertProblem(await as({}), 401, 16, /./)
      assertProblem(await as(bearer(auditor)), 403, 7, /claimgate\.workloadIdentities\.update/)
      assertProblem(await as(bearer(author)), 403, 7, /roles\/workspaceAdmin/)
      assertProblem(await as({ ...bearer(world.adminToken), 'if-match': '"0"' }), 409, 10, /etag/)
      assertProblem(await revokeTokens(`nobody@${IDENTITY_DOMAIN}`), 404, 5, /./)
      assert.equal(await counts(token), true)
      assert.equal((await as(bearer(token))).status, 200)
      assert.equal(await counts(token), false)
    })

    test('the tokens that could still be presented are counted, for the identity and for each rule', async () => {
      const email = await world.createIdentity([RULE, { ...OTHER, project: 'app' }])
      await signIn(email)
      const expired = await world.createIdentity([RULE], { identity: { tokenLifetimeSeconds: 60 } })
      await signIn(expired)
      const outsider = gitlabClaims('18.4', { namespace_path: 'evil', project_path: 'evil/app' })
      await world.exchange(world.gitlab.signToken(outsider), email)
      await world.request('POST', '/v1/auth:explainToken', {
        body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
      })
      const elsewhere = { project_path: 'acme/web' }
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', elsewhere)), email)
      const one = await signIn(email)

      const all = await countTokens(email)
      await world.request('POST', '/oauth2/revoke', {
        raw: new URLSearchParams({ token: one }).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...bearer(one) },
      })
      const less = await countTokens(email)
      world.clock.advance(61_000)

      assert.deepEqual(all, {
        unexpiredTokens: 3,
        rules: [
          { rule: 'deploy', unexpiredTokens: 3 },
          { rule: 'other', unexpiredTokens: 2 },
        ],
        isComplete: true,
      })
      assert.equal(less.unexpiredTokens, 2)
      assert.deepEqual(await countTokens(expired), { unexpiredTokens: 0, rules: [], isComplete: true })
      await revokeTokens(email)
      assert.equal((await countTokens(email)).unexpiredTokens, 0)
      assertProblem(await world.admin('GET', `${name(`nobody@${IDENTITY_DOMAIN}`)}:countTokens`), 404, 5, /./)
    })

    test('tokens of an identity that had the email before are not counted', async () => {
      const email = await world.createIdentity([RULE], { id: 'phoenix' })
      await signIn(email)
      await world.admin('DELETE', name(email))

      await world.createIdentity([RULE], { id: 'phoenix' })

      assert.equal((await countTokens(email)).unexpiredTokens, 0)
    })

    test('who disables an identity or a rule is told how many tokens that ends', async () => {
      const email = await world.createIdentity([RULE, OTHER])
      const patch = (body: object) => world.admin('PATCH', name(email), body)
      await signIn(email)
      await signIn(email)

      const titled = await patch({ title: 'Other' })
      const ofRule = await patch({
        workloadIdentityConfig: { rules: [{ ...RULE, disabled: true }, OTHER] },
      })
      const ofIdentity = await patch({ state: 'DISABLED' })
      const again = await patch({ state: 'DISABLED' })

      assert.equal(titled.json.notices, undefined)
      assert.match(
        ofRule.json.notices?.join('\n'),
        /^workloadIdentityConfig\.rules: ends 2 access tokens .*deploy/,
      )
      assert.match(ofIdentity.json.notices?.join('\n'), /^state: ends 2 access tokens.*:revokeTokens/)
      assert.equal(again.json.notices, undefined)
    })

    test('who disables an issuer is told so too, and can count before', async () => {
      const email = await world.createIdentity([RULE])
      world.clock.advance(3_700_000)
      const token = await signIn(email)
      const path = `/v1/${issuer}`

      const counted = await world.admin('GET', `${path}:countTokens`)
      const disabled = await world.admin('PATCH', path, { state: 'DISABLED' })
      const dead = await counts(token)
      const enabled = await world.admin('PATCH', path, { state: 'ACTIVE' })

      assert.deepEqual(counted.json, { unexpiredTokens: 1, isComplete: true })
      assert.match(disabled.json.notices?.join('\n'), /^state: ends 1 access token,/)
      assert.equal(enabled.json.notices, undefined)
      assert.deepEqual([dead, await counts(token)], [false, true])
      assertProblem(await world.admin('GET', '/v1/issuers/nothing:countTokens'), 404, 5, /./)
    })
  })
}
