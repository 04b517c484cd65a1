import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const CONFIG = 'workloadIdentityConfig'

for (const kind of DATABASES) {
  describe(`changing an identity on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
    const get = async (email: string) => (await world.admin('GET', pathOf(email))).json
    const patch = (email: string, body: unknown, mask?: string) =>
      world.admin(
        'PATCH',
        pathOf(email) + (mask === undefined ? '' : `?updateMask=${encodeURIComponent(mask)}`),
        body,
      )
    const exchange = (email: string, claims = {}) =>
      world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), email)

    test('changes what the mask names and nothing else, and answers what is read then', async () => {
      const email = await world.createIdentity([RULE])
      const before = await get(email)
      world.clock.advance(1_000)

      const answer = await patch(email, { title: 'New', tokenLifetimeSeconds: 60 }, 'title')

      assert.equal(answer.status, 200, answer.text)
      assertSafeHeaders(answer)
      const { findings, ...stored } = answer.json
      const { title, etag, updateTime, ...rest } = stored
      assert.ok(findings.length > 0)
      assert.equal(title, 'New')
      assert.notEqual(etag, before.etag)
      assert.equal(answer.headers.get('etag'), `"${etag}"`)
      assert.equal(updateTime, new Date(world.clock()).toISOString())
      const { title: _t, etag: _e, updateTime: _u, ...same } = before
      assert.deepEqual(rest, same)
      assert.deepEqual(await get(email), stored)
    })

    const SETTINGS: readonly (readonly [mask: string, value: unknown, reset: unknown])[] = [
      ['title', 'Other', 'settings'],
      ['tokenLifetimeSeconds', 120, 3600],
      ['subjectTokenUse', 'MANY', 'ONCE'],
      ['tokenAudiences', ['urn:x'], []],
      ['recordedClaims', ['user_login'], []],
      ['tests', [{ title: 'A stranger', claims: {}, expect: 'DENIED' }], []],
    ]
    test('every setting can be set, and falls back to its default where the mask names it and the body does not', async () => {
      const email = await world.createIdentity([RULE], { id: 'settings' })
      for (const [mask, value, reset] of SETTINGS) {
        assert.deepEqual((await patch(email, { [mask]: value }, mask)).json[mask], value)
        assert.deepEqual((await patch(email, {}, mask)).json[mask], reset, mask)
      }
    })

    test('without a mask the fields of the body are changed, inside the configuration too', async () => {
      const email = await world.createIdentity([RULE], { config: { allowedAudiences: ['urn:a'] } })

      const titled = await patch(email, { title: 'New', subjectTokenUse: 'MANY' })
      const ruled = await patch(email, { [CONFIG]: { rules: [{ ...RULE, project: 'other' }] } })

      assert.equal(titled.json.title, 'New')
      assert.equal(titled.json.subjectTokenUse, 'MANY')
      assert.deepEqual(titled.json[CONFIG].rules[0].project, 'app')
      assert.equal(ruled.status, 200, ruled.text)
      assert.equal(ruled.json.title, 'New')
      assert.deepEqual(ruled.json[CONFIG].allowedAudiences, ['urn:a'])
      assert.equal(ruled.json[CONFIG].rules[0].project, 'other')
    })

    test('with * all is replaced, and only the state is kept where the body does not say it', async () => {
      const email = await world.createIdentity([RULE], { identity: { tokenAudiences: ['urn:x'] } })
      await patch(email, { state: 'DISABLED' })
      const config = { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: [RULE] }

      const answer = await patch(email, { title: 'All', [CONFIG]: config }, '*')
      const without = await patch(email, { title: 'All' }, '*')

      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.json.tokenAudiences, [])
      assert.equal(answer.json.state, 'DISABLED')
      assertProblem(without, 400, 3, /workloadIdentityConfig is required/)
    })

    test('the whole resource can be given back as it was read, with one thing changed', async () => {
      const email = await world.createIdentity([RULE])
      const read = await get(email)

      const answer = await patch(email, { ...read, title: 'Read and written' })
      const { title, etag: _, updateTime: _u, findings: _f, ...rest } = answer.json

      assert.equal(title, 'Read and written')
      const { title: _t, etag: _e, updateTime: __, ...same } = read
      assert.deepEqual(rest, same)
      assertProblem(await patch(email, { ...read, title: 'Stale' }), 409, 10, /read it again/)
    })

    test('a disabled identity exchanges nothing and its tokens are dead, until it is enabled', async () => {
      const email = await world.createIdentity([RULE])
      const { accessToken } = (await exchange(email)).json
      const me = () =>
        world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${accessToken}` } })

      const disabled = await patch(email, { state: 'DISABLED' }, 'state')
      const refused = await exchange(email)
      const dead = await me()
      const enabled = await patch(email, { state: 'ACTIVE' }, 'state')

      assert.equal(disabled.json.state, 'DISABLED')
      assertProblem(refused, 401, 16, 'Token exchange denied.')
      assert.equal((await world.decisions(email))[0]?.reason, 'identity_inactive')
      assertProblem(dead, 401, 16, /no longer active/)
      assert.equal(enabled.json.state, 'ACTIVE')
      assert.equal((await me()).status, 200)
      assert.equal((await exchange(email)).status, 200)
    })

    test('new rules are the policy of the next exchange; the policy is made anew only where they change', async () => {
      const email = await world.createIdentity([RULE])
      const before = await get(email)
      assert.equal((await exchange(email)).status, 200)

      const titled = await patch(email, { title: 'Same rules', [CONFIG]: { rules: before[CONFIG].rules } })
      const changed = await patch(email, { [CONFIG]: { rules: [{ ...RULE, project: 'other' }] } })
      const refused = await exchange(email)
      const admitted = await exchange(email, { project_path: 'acme/other' })

      assert.equal(titled.json.policyDigest, before.policyDigest)
      assert.notEqual(changed.json.policyDigest, before.policyDigest)
      assertProblem(refused, 403, 7, /Condition project/)
      assert.equal(admitted.status, 200, admitted.text)
      const policy = await world.admin('GET', `${pathOf(email)}/policy`)
      assert.equal(policy.json.digest, changed.json.policyDigest)
    })

    test('a change of refs from empty to given decides two defaults anew, and the answer names them', async () => {
      const email = await world.createIdentity([{ id: 'all', group: 'acme' }])

      const answer = await patch(
        email,
        { [CONFIG]: { rules: [{ id: 'all', group: 'acme', refs: RULE.refs }] } },
        `${CONFIG}.rules`,
      )
      const back = await patch(
        email,
        { [CONFIG]: { rules: [{ id: 'all', group: 'acme' }] } },
        `${CONFIG}.rules`,
      )

      assert.equal(answer.json[CONFIG].rules[0].protectedRefsOnly, true)
      assert.equal(answer.json[CONFIG].rules[0].mergeRequests, 'NONE')
      assert.match(
        answer.json.notices.join('\n'),
        /rules\[0\]\.protectedRefsOnly: changed from false to true/,
      )
      assert.match(
        answer.json.notices.join('\n'),
        /rules\[0\]\.mergeRequests: changed from SAME_PROJECT to NONE/,
      )
      assert.equal(back.json[CONFIG].rules[0].protectedRefsOnly, true)
      assert.equal(back.json[CONFIG].rules[0].mergeRequests, 'NONE')
      assert.equal(back.json.notices, undefined)
      const read = await get(email)
      assert.equal('notices' in read, false)
    })

    test("a rule's number is not given again once its rule is gone", async () => {
      const email = await world.createIdentity([{ group: 'acme' }, { group: 'beta' }])
      const rules = async (...list: object[]) =>
        (await patch(email, { [CONFIG]: { rules: list } })).json[CONFIG].rules.map(
          ({ id }: { id: string }) => id,
        )

      assert.deepEqual(await rules({ group: 'acme' }), ['rule-1'])
      assert.deepEqual(await rules({ group: 'acme' }, { group: 'gamma' }), ['rule-1', 'rule-3'])
    })

    test('a list of rules given again enables and opens nothing that it does not speak of', async () => {
      const asleep = { ...RULE, id: 'asleep', disabled: true }
      const open = { ...RULE, id: 'open', protectedRefsOnly: false }
      const email = await world.createIdentity([asleep, open])
      const rules = (list: object[]) => patch(email, { [CONFIG]: { rules: list } }, `${CONFIG}.rules`)
      const { disabled: _, ...silent } = asleep

      const same = await rules([silent, { ...RULE, id: 'open' }])
      const moved = await rules([silent, { ...RULE, id: 'open', project: 'other' }])
      const enabled = await rules([
        { ...silent, disabled: false },
        { ...RULE, id: 'open' },
      ])

      const shown = (answer: typeof same) =>
        answer.json[CONFIG].rules.map(({ disabled, protectedRefsOnly }: Record<string, unknown>) => [
          disabled,
          protectedRefsOnly,
        ])
      assert.deepEqual(shown(same), [
        [true, true],
        [false, false],
      ])
      assert.deepEqual(shown(moved), [
        [true, true],
        [false, true],
      ])
      assert.deepEqual(shown(enabled), [
        [false, true],
        [false, true],
      ])
    })

    test('no author can use up the numbers of rules', async () => {
      const email = await world.createIdentity([RULE])

      const answer = await patch(
        email,
        { [CONFIG]: { rules: [{ ...RULE, id: 'rule-1000000000' }] } },
        `${CONFIG}.rules`,
      )

      assertProblem(answer, 400, 3, /rules\[0\]\.id must have at most nine digits/)
    })

    test('a new issuer is registered with the change, or not at all', async () => {
      const email = await world.createIdentity([RULE])
      const issuerUrl = `https://gitlab.${email.split('@')[0]}.example`
      const issuerPath = `/v1/issuers/gitlab-${email.split('@')[0]}-example`

      const refused = await patch(email, { title: '', [CONFIG]: { issuerUrl } })
      assertProblem(refused, 400, 3, /title/)
      assertProblem(await world.admin('GET', issuerPath), 404, 5, /./)
      const moved = await patch(email, { [CONFIG]: { issuerUrl } }, `${CONFIG}.issuerUrl`)
      const audiences = await patch(email, {}, `${CONFIG}.allowedAudiences`)

      assert.equal(moved.json[CONFIG].issuerUrl, issuerUrl)
      assert.match(moved.json.notices.join('\n'), /registered as issuers\/gitlab-/)
      assert.match(moved.json.notices.join('\n'), /allowedAudiences: stays as it was/)
      assert.deepEqual(moved.json[CONFIG].allowedAudiences, [world.gitlab.issuerUrl])
      assert.deepEqual(audiences.json[CONFIG].allowedAudiences, [issuerUrl])
      assert.equal((await world.admin('GET', issuerPath)).json.issuerUrl, issuerUrl)
      assertProblem(await exchange(email), 401, 16, 'Token exchange denied.')
      assertProblem(await patch(email, { [CONFIG]: { issuerUrl: 'http://x.example' } }), 400, 3, /issuerUrl/)
    })

    const MASKS: readonly (readonly [mask: string, names: RegExp])[] = [
      ['tittle', /'tittle'.*the nearest is title/],
      ['token_lifetime_seconds', /the nearest is tokenLifetimeSeconds/],
      ['workload_identity_config.rules', /the nearest is workloadIdentityConfig\.rules/],
      ['nonsense', /'nonsense'.*those are 'title'/],
      ['title,', /''/],
      ['title, state', /' state'.*the nearest is state/],
      ['*,title', /'\*' alone/],
      ['workloadIdentityConfig.*', /'workloadIdentityConfig\.\*'/],
      ['rules', /the nearest is workloadIdentityConfig\.rules/],
      ['workloadIdentityConfig.rules.refs', /workloadIdentityConfig\.rules is replaced whole/],
      ['workloadIdentityConfig.rules[0]', /workloadIdentityConfig\.rules is replaced whole/],
      ['tokenAudiences[0]', /tokenAudiences is replaced whole/],
      ['constructor', /'constructor'/],
      ['__proto__', /'__proto__'/],
      ...['name', 'email', 'etag', 'createTime', 'updateTime', 'policyDigest', 'notices'].map(
        (name) => [name, new RegExp(`'${name}', which cannot be set`)] as const,
      ),
    ]
    test('a mask that names what is not there, or cannot be set, is refused by name', async () => {
      const email = await world.createIdentity([RULE])
      const before = await get(email)

      for (const [mask, names] of MASKS) {
        assertProblem(await patch(email, { title: 'x' }, mask), 400, 3, /updateMask/)
        assertProblem(await patch(email, { title: 'x' }, mask), 400, 3, names)
      }

      assert.deepEqual(await get(email), before)
    })

    const BODIES: readonly (readonly [body: unknown, names: RegExp, mask?: string])[] = [
      [{}, /no field that can be changed/],
      [{ createTime: 'x' }, /no field that can be changed/],
      [{ [CONFIG]: {} }, /no field that can be changed/],
      [{ tittle: 'x' }, /tittle is not a field: the nearest is title/],
      [{ title: 'x', tittle: 'x' }, /tittle/, 'title'],
      [{ title: 1 }, /title must be a string/],
      [{ title: null }, /title must be a string/],
      [{ title: ' ' }, /title must not be blank/],
      [{ title: 'a\nb' }, /title has a control character/],
      [{ title: 'a\\b' }, /title has a backslash/],
      [{ title: 'x'.repeat(201) }, /title/],
      [{ title: 'x', tokenLifetimeSeconds: '60' }, /tokenLifetimeSeconds/, 'title'],
      [{ tokenLifetimeSeconds: 59 }, /tokenLifetimeSeconds/],
      [{ state: 'DELETED' }, /DELETE/],
      [{ state: 'GONE' }, /state must be/],
      [{}, /state is required/, 'state'],
      [{ name: 'workloadIdentities/other@x', title: 'x' }, /name must be/],
      [{ email: `other@${IDENTITY_DOMAIN}`, title: 'x' }, /email must be/],
      [{ etag: 3, title: 'x' }, /etag must be a string/],
      [{ [CONFIG]: [] }, /workloadIdentityConfig must be an object/],
      [{ [CONFIG]: { rulez: [] } }, /workloadIdentityConfig\.rulez.*rules/],
      [{ [CONFIG]: { rules: [] } }, /workloadIdentityConfig\.rules must not be empty/],
      [{ [CONFIG]: { rules: [{ group: 'acme' }, { group: '' }] } }, /rules\[1\]\.group/],
      [{ [CONFIG]: { rules: [{ group: 'acme', roles: ['roles/none'] }] } }, /rules\[0\]\.roles\[0\]/],
      [{ [CONFIG]: { allowedAudiences: [] } }, /allowedAudiences/],
      [{ [CONFIG]: { rules: [RULE] } }, /workloadIdentityConfig\.providerType is required/, CONFIG],
      [{ title: 'x' }, /workloadIdentityConfig\.rules is required/, `${CONFIG}.rules`],
      [{ title: 'x' }, /workloadIdentityConfig\.issuerUrl is required/, `${CONFIG}.issuerUrl`],
      [{ tokenAudiences: ['a', 'a'] }, /tokenAudiences\[1\]/],
    ]
    test('a body that does not fit is refused by its field, and nothing is changed', async () => {
      const email = await world.createIdentity([RULE])
      const before = await get(email)

      for (const [body, names, mask] of BODIES) assertProblem(await patch(email, body, mask), 400, 3, names)

      assert.deepEqual(await get(email), before)
    })

    test('SAME_PROJECT beside refs is refused with the two rules to write instead', async () => {
      const email = await world.createIdentity([{ id: 'all', group: 'acme' }])
      const read = await get(email)
      const [rule] = read[CONFIG].rules

      const answer = await patch(email, {
        ...read,
        [CONFIG]: { ...read[CONFIG], rules: [{ ...rule, refs: RULE.refs }] },
      })

      assertProblem(
        answer,
        400,
        3,
        /rules\[0\]\.mergeRequests SAME_PROJECT goes with empty refs only.*two rules/,
      )
    })

    test('what is not there is a 404, what is deleted has to be undeleted first', async () => {
      const email = await world.createIdentity([RULE])
      await world.admin('DELETE', pathOf(email))

      assertProblem(await patch(`nobody@${IDENTITY_DOMAIN}`, { title: 'x' }), 404, 5, /no such/)
      assertProblem(await patch(email, { title: 'x' }), 400, 9, /undelete it first/)
      assertProblem(
        await world.request('PATCH', pathOf(email), { body: { title: 'x' } }),
        401,
        16,
        /admin token/,
      )
    })
  })
}
