import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const MAIN = [{ type: 'BRANCH', pattern: 'main' }]
const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: MAIN, roles: ['roles/gitopsServiceAgent'] }
const DAY_MS = 86_400_000

for (const kind of DATABASES) {
  describe(`drafts on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
    const rulesOf = (...rules: object[]) => ({ workloadIdentityConfig: { rules } })
    const put = (email: string, body: object, query = '') =>
      world.admin('PUT', `${pathOf(email)}/draft${query}`, body)
    const impactOf = (email: string, query = '') =>
      world.admin('POST', `${pathOf(email)}/draft:impact${query}`)
    const activate = (email: string, impact: string, query = '') =>
      world.admin('POST', `${pathOf(email)}/draft:activate${query}`, { impact })
    const exchange = (email: string, claims: object = {}) =>
      world.exchange(world.gitlab.signToken(gitlabClaims('18.4', { ...claims })), email)

    test('decide nothing until they are activated, and then the next exchange', async () => {
      const email = await world.createIdentity([RULE])
      const before = (await world.admin('GET', pathOf(email))).json

      const drafted = await put(email, rulesOf({ ...RULE, project: 'web' }))
      const meanwhile = await exchange(email)
      const read = await world.admin('GET', `${pathOf(email)}/draft`)
      const impact = await impactOf(email)
      const activated = await activate(email, impact.json.id, '?reason=Only%20web%20deploys')
      const after = await exchange(email)

      assert.equal(drafted.status, 200, drafted.text)
      assert.deepEqual(read.json, drafted.json)
      assert.equal(drafted.json.workloadIdentity.workloadIdentityConfig.rules[0].project, 'web')
      assert.equal(drafted.json.workloadIdentity.title, before.title)
      assert.notEqual(drafted.json.policyDigest, before.policyDigest)
      assert.deepEqual(
        [drafted.json.baseVersion, drafted.json.isStale, drafted.json.impact],
        [1, false, null],
      )
      assert.deepEqual([meanwhile.status, after.status], [200, 403])
      assert.equal(activated.status, 200, activated.text)
      assert.equal(activated.json.policyDigest, drafted.json.policyDigest)
      const { policyVersions } = (await world.admin('GET', `${pathOf(email)}/policyVersions`)).json
      assert.deepEqual(
        [policyVersions[0].number, policyVersions[0].change, policyVersions[0].reason],
        [2, 'ACTIVATION', 'Only web deploys'],
      )
      assertProblem(await world.admin('GET', `${pathOf(email)}/draft`), 404, 5, /no draft/)
    })

    test('show whom they would let in and keep out, of what was recorded', async () => {
      const email = await world.createIdentity([RULE])
      const allowed = await exchange(email)
      await exchange(email, { ref: 'feature' })
      await exchange(email, { project_path: 'acme/web' })
      await exchange(email, { project_path: 'other/app', namespace_path: 'other' })
      await exchange(email, mergeRequest())
      await world.exchange('no token', email)
      const rules = [
        { ...RULE, refs: [{ type: 'BRANCH', pattern: 'feature' }] },
        { id: 'web', group: 'acme', project: 'web' },
      ]
      await put(email, rulesOf(...rules))

      const { json, status, text } = await impactOf(email)

      assert.equal(status, 200, text)
      assert.deepEqual(
        [
          json.replayed,
          json.newlyAllowed.count,
          json.newlyDenied.count,
          json.unchanged,
          json.rolesChanged.count,
          json.errors.count,
        ],
        [5, 2, 1, 2, 0, 0],
      )
      assert.deepEqual(json.notReplayed, [{ reason: 'token_malformed', count: 1 }])
      assert.equal(json.isComplete, true)
      const [denied] = json.newlyDenied.decisions
      assert.equal(denied.decision, `decisions/${allowed.json.decisionId}`)
      assert.equal(denied.verdict.allow, false)
      assert.equal(denied.verdict.rules[0].conditions.ref.met, false)
      assert.deepEqual(
        json.newlyAllowed.decisions.map(({ subject }: { subject: string }) => subject.includes('acme/web')),
        [true, false],
      )
      // Looking changes nothing and records nothing.
      assert.equal((await world.decisions(email)).length, 6)
      assert.equal((await world.admin('GET', `${pathOf(email)}/draft`)).json.impact, json.id)
    })

    test('show who would get other roles, and count each decision once', async () => {
      const email = await world.createIdentity([RULE])
      await exchange(email)
      await put(email, rulesOf({ ...RULE, title: 'Renamed', roles: ['roles/auditor'] }))
      const other = await impactOf(email)
      await put(email, rulesOf({ ...RULE, title: 'Renamed' }))
      const same = await impactOf(email)

      assert.deepEqual([other.json.rolesChanged.count, other.json.unchanged], [1, 0])
      assert.deepEqual(other.json.rolesChanged.decisions[0].verdict.roles, ['roles/auditor'])
      assert.deepEqual([same.json.rolesChanged.count, same.json.unchanged], [0, 1])
    })

    test('are held against the days that are asked for', async () => {
      const email = await world.createIdentity([RULE])
      await exchange(email)
      world.clock.advance(20 * DAY_MS)
      await exchange(email)
      world.clock.advance(20 * DAY_MS)
      await exchange(email)
      await put(email, rulesOf({ ...RULE, project: 'web' }))

      const counts = [
        await impactOf(email),
        await impactOf(email, '?days=10'),
        await impactOf(email, '?days=366'),
      ]

      assert.deepEqual(
        counts.map(({ json }) => json.newlyDenied.count),
        [2, 1, 3],
      )
      for (const days of ['0', '367', '-1', 'x'])
        assertProblem(await impactOf(email, `?days=${days}`), 400, 3, /days/)
    })

    test('say what their impact cannot tell', async () => {
      const email = await world.createIdentity([RULE])
      await put(email, {
        workloadIdentityConfig: {
          rules: [{ ...RULE, claims: { user_login: ['jane'] } }],
          allowedAudiences: ['https://claimgate.example.com'],
        },
      })

      const { notices } = (await impactOf(email)).json

      assert.equal(notices.length, 2)
      assert.match(notices[0], /allowedAudiences: is no part of the policy/)
      assert.match(notices[1], /user_login: is a personal claim that was not recorded/)
    })

    test('are activated only by the last impact of the draft as it is', async () => {
      const email = await world.createIdentity([RULE])
      await put(email, rulesOf({ ...RULE, project: 'web' }))

      const unseen = await activate(email, 'anything')
      const first = (await impactOf(email)).json.id
      const second = (await impactOf(email)).json.id
      const outdated = await activate(email, first)
      await put(email, rulesOf({ ...RULE, project: 'api' }))
      const another = await activate(email, second)

      assertProblem(unseen, 400, 9, /not looked at yet/)
      assertProblem(outdated, 409, 10, /look at it again/)
      assertProblem(another, 400, 9, /not looked at yet/)
      assert.equal((await exchange(email)).status, 200)
      assertProblem(await world.admin('POST', `${pathOf(email)}/draft:activate`, {}), 400, 3, /impact/)
    })

    test('on a version that is not the newest any more are refused, and take nothing back', async () => {
      const email = await world.createIdentity([RULE])
      await put(email, rulesOf({ ...RULE, project: 'web' }))
      const { id } = (await impactOf(email)).json
      await world.admin('PATCH', pathOf(email), { title: 'Meanwhile' })

      const activated = await activate(email, id)
      const impact = await impactOf(email)
      const stale = await world.admin('GET', `${pathOf(email)}/draft`)
      await put(email, rulesOf({ ...RULE, project: 'web' }))
      const anew = await activate(email, (await impactOf(email)).json.id)

      assertProblem(activated, 409, 10, /version 1, and version 2 is the newest/)
      assertProblem(impact, 409, 10, /version 1, and version 2 is the newest/)
      assert.equal(stale.json.isStale, true)
      assert.equal(anew.status, 200, anew.text)
      assert.equal(anew.json.title, 'Meanwhile')
    })

    test('are refused where the change would be, and leave the draft that there was', async () => {
      const email = await world.createIdentity([RULE])
      const kept = await put(email, { title: 'Kept' })

      assertProblem(await put(email, rulesOf({ ...RULE, group: '' })), 400, 3, /rules\[0\]\.group/)
      assertProblem(await put(email, { state: 'DISABLED' }), 400, 3, /state is not drafted/)
      assertProblem(await put(email, {}), 400, 3, /no field/)
      assertProblem(await put(email, { title: 'x', etag: '0' }), 409, 10, /read it again/)
      assert.deepEqual((await world.admin('GET', `${pathOf(email)}/draft`)).json, kept.json)
      await world.admin('DELETE', pathOf(email))
      assertProblem(await put(email, { title: 'x' }), 400, 9, /undelete it first/)
    })

    test('have an etag of their own', async () => {
      const email = await world.createIdentity([RULE])
      const first = await put(email, { title: 'a' })
      const second = await put(email, { title: 'b' })
      const send = (method: string, path: string, body?: object) =>
        world.request(method, `${pathOf(email)}/${path}`, {
          body,
          headers: { authorization: `Bearer ${world.adminToken}`, 'if-match': `"${first.json.etag}"` },
        })

      assert.equal(second.headers.get('etag'), `"${second.json.etag}"`)
      assertProblem(await send('PUT', 'draft', { title: 'c' }), 409, 10, /read it again/)
      assertProblem(await send('DELETE', 'draft'), 409, 10, /read it again/)
      assertProblem(await send('POST', 'draft:activate', { impact: 'x' }), 409, 10, /read it again/)
      assert.equal((await world.admin('GET', `${pathOf(email)}/draft`)).json.workloadIdentity.title, 'b')
      assert.deepEqual((await world.admin('DELETE', `${pathOf(email)}/draft`)).json, {})
    })

    test('that are not there are not found', async () => {
      const email = await world.createIdentity([RULE])

      for (const [method, path, body] of [
        ['GET', 'draft'],
        ['DELETE', 'draft'],
        ['POST', 'draft:impact'],
        ['POST', 'draft:activate', { impact: 'x' }],
      ] as const) {
        assertProblem(await world.admin(method, `${pathOf(email)}/${path}`, body), 404, 5, /no draft/)
        const nobody = pathOf('nobody@workload.example.com')
        assertProblem(
          await world.admin(method, `${nobody}/${path}`, body),
          404,
          5,
          /no such workload identity/,
        )
      }
    })
  })
}
