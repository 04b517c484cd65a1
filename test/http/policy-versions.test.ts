import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of DATABASES) {
  describe(`policy versions on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
    const patch = (email: string, body: object, query = '') =>
      world.admin('PATCH', `${pathOf(email)}${query}`, body)
    const rulesOf = (...rules: object[]) => ({ workloadIdentityConfig: { rules } })
    const list = async (email: string, query = '') =>
      (await world.admin('GET', `${pathOf(email)}/policyVersions${query}`)).json
    const exchange = async (email: string, claims: object = {}) =>
      (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', { ...claims })), email)).status

    test('tell of every save who made it, when, why and what of', async () => {
      const email = await world.createIdentity([RULE])
      world.clock.advance(1_000)
      const updated = await patch(email, { title: 'Second' }, '?reason=A%20better%20name')
      const disabled = await patch(email, { state: 'DISABLED' })
      await world.admin('DELETE', `${pathOf(email)}?reason=gone`)
      const back = await world.admin('POST', `${pathOf(email)}:undelete?reason=back`)

      const { policyVersions, nextPageToken } = await list(email)

      assert.equal(nextPageToken, '')
      assert.deepEqual(
        policyVersions.map((version: Record<string, unknown>) => [
          version.number,
          version.change,
          version.state,
          version.reason,
          version.author,
        ]),
        [
          [5, 'UNDELETE', 'DISABLED', 'back', 'adminTokens/first'],
          [4, 'DELETE', 'DELETED', 'gone', 'adminTokens/first'],
          [3, 'UPDATE', 'DISABLED', null, 'adminTokens/first'],
          [2, 'UPDATE', 'ACTIVE', 'A better name', 'adminTokens/first'],
          [1, 'CREATE', 'ACTIVE', null, 'adminTokens/first'],
        ],
      )
      const [newest] = policyVersions
      assert.equal(newest.name, `workloadIdentities/${email}/policyVersions/5`)
      assert.equal(policyVersions[3].createTime, updated.json.updateTime)
      assert.equal(policyVersions[2].policyDigest, disabled.json.policyDigest)
      const {
        name,
        state,
        etag,
        createTime,
        updateTime,
        policyDigest,
        email: _,
        findings,
        ...spec
      } = back.json
      assert.deepEqual(newest.workloadIdentity, spec)
      assert.deepEqual((await world.admin('GET', `${pathOf(email)}/policyVersions/5`)).json, newest)
    })

    test('come in pages, each once', async () => {
      const email = await world.createIdentity([RULE])
      for (const title of ['b', 'c', 'd', 'e']) await patch(email, { title })

      const numbers: number[] = []
      let token = ''
      do {
        const page = await list(email, `?pageSize=2&pageToken=${token}`)
        numbers.push(...page.policyVersions.map(({ number }: { number: number }) => number))
        token = page.nextPageToken
      } while (token !== '')

      assert.deepEqual(numbers, [5, 4, 3, 2, 1])
    })

    test('are made by no change that is refused', async () => {
      const email = await world.createIdentity([RULE])
      await world.createIdentity([RULE], { id: 'taken' })

      await patch(email, rulesOf({ ...RULE, group: '' }))
      await world.request('PATCH', pathOf(email), {
        body: { title: 'x' },
        headers: { authorization: `Bearer ${world.adminToken}`, 'if-match': '"0"' },
      })
      const tooLong = await patch(email, { title: 'x' }, `?reason=${'x'.repeat(501)}`)
      await patch(email, { title: 'longest' }, `?reason=${'x'.repeat(500)}`)

      assertProblem(tooLong, 400, 3, /reason .*500 characters/)
      const { policyVersions } = await list(email)
      assert.deepEqual(
        policyVersions.map(
          ({ workloadIdentity }: { workloadIdentity: { title: string } }) => workloadIdentity.title,
        ),
        ['longest', 'Deploy'],
      )
    })

    test('of fifty saves at once are fifty, numbered without a gap', async () => {
      const email = await world.createIdentity([RULE])

      await Promise.all(Array.from({ length: 50 }, (_, n) => patch(email, { title: `title ${n}` })))

      const { policyVersions } = await list(email, '?pageSize=1000')
      assert.deepEqual(
        policyVersions.map(({ number }: { number: number }) => number),
        Array.from({ length: 51 }, (_, n) => 51 - n),
      )
    })

    test('belong to one identity: another that gets its email begins anew', async () => {
      const email = await world.createIdentity([RULE], { id: 'again' })
      await patch(email, { title: 'Changed' })
      await world.admin('DELETE', pathOf(email))
      await world.createIdentity([RULE], { id: 'again' })

      const { policyVersions } = await list(email)

      assert.deepEqual(
        policyVersions.map(({ change }: { change: string }) => change),
        ['CREATE'],
      )
      assertProblem(
        await world.admin('POST', `${pathOf(email)}/policyVersions/2:rollback`),
        404,
        5,
        /no such policy version/,
      )
    })

    test('are compared field by field, rule by rule, and in their Rego', async () => {
      const email = await world.createIdentity([RULE, { id: 'old', group: 'acme' }])
      await patch(email, {
        title: 'Changed',
        ...rulesOf(
          { ...RULE, project: 'web' },
          { id: 'new', group: 'acme', refs: [{ type: 'BRANCH', pattern: 'a*b*' }] },
        ),
      })
      await patch(email, { tokenLifetimeSeconds: 600 })

      const { json: second } = await world.admin('GET', `${pathOf(email)}/policyVersions/2:diff`)
      const { json: third } = await world.admin('GET', `${pathOf(email)}/policyVersions/3:diff`)
      const { json: back } = await world.admin('GET', `${pathOf(email)}/policyVersions/1:diff?against=3`)
      const { json: first } = await world.admin('GET', `${pathOf(email)}/policyVersions/1:diff`)

      assert.deepEqual([second.from, second.to], [1, 2])
      assert.deepEqual(second.fields, [{ path: 'title', before: 'Deploy', after: 'Changed' }])
      assert.deepEqual(second.rules, [
        { id: 'old', change: 'REMOVED', fields: [] },
        { id: 'deploy', change: 'CHANGED', fields: [{ path: 'project', before: 'app', after: 'web' }] },
        { id: 'new', change: 'ADDED', fields: [] },
      ])
      const [stars, rules] = second.modules
      assert.equal(stars.path, 'claimgate/stars.rego')
      assert.match(stars.diff, /^--- \/dev\/null\n\+\+\+ b\/claimgate\/stars.rego\n@@ /)
      assert.equal(rules.path, 'rules.rego')
      assert.match(rules.diff, /^-\t\t"project": "app",$/m)
      assert.match(rules.diff, /^\+\t\t"project": "web",$/m)
      assert.deepEqual(third, {
        from: 2,
        to: 3,
        fields: [{ path: 'tokenLifetimeSeconds', before: 3600, after: 600 }],
        rules: [],
        modules: [],
      })
      assert.deepEqual([back.from, back.to], [3, 1])
      assert.deepEqual(
        back.rules.map(({ id, change }: Record<string, string>) => [id, change]),
        [
          ['new', 'REMOVED'],
          ['deploy', 'CHANGED'],
          ['old', 'ADDED'],
        ],
      )
      assert.equal(first.from, null)
      assert.equal(first.rules.length, 2)
    })

    test('are gone back to by a save like any other, whose rules hold for the next exchange', async () => {
      const email = await world.createIdentity([RULE])
      const before = (await world.admin('GET', pathOf(email))).json
      await patch(email, { title: 'Wrong', ...rulesOf({ ...RULE, project: 'other' }) })
      const refused = await exchange(email)
      await patch(email, { state: 'DISABLED' })

      const back = await world.admin(
        'POST',
        `${pathOf(email)}/policyVersions/1:rollback?reason=It%20was%20wrong`,
      )
      await patch(email, { state: 'ACTIVE' })
      const allowed = await exchange(email)

      assert.equal(back.status, 200, back.text)
      const { state, etag, updateTime, findings, ...same } = back.json
      const { state: _, etag: stale, updateTime: __, ...expected } = before
      assert.deepEqual(same, expected)
      // What was disabled is not enabled by the way.
      assert.equal(state, 'DISABLED')
      assert.notEqual(etag, stale)
      assert.deepEqual([refused, allowed], [403, 200])
      const { policyVersions } = await list(email)
      const rollback = policyVersions[1]
      assert.deepEqual(
        [rollback.change, rollback.restoredNumber, rollback.reason, rollback.number],
        ['ROLLBACK', 1, 'It was wrong', 4],
      )
    })

    test('are gone back to only where the etag is the one that was read, and the identity lives', async () => {
      const email = await world.createIdentity([RULE])
      const { etag } = (await world.admin('GET', pathOf(email))).json
      await patch(email, { title: 'Changed' })
      const rollBack = (version: string, ifMatch?: string) =>
        world.request('POST', `${pathOf(email)}/policyVersions/${version}:rollback`, {
          headers: { authorization: `Bearer ${world.adminToken}`, ...(ifMatch && { 'if-match': ifMatch }) },
        })

      assertProblem(await rollBack('1', `"${etag}"`), 409, 10, /read it again/)
      for (const version of ['3', '0', '01', 'x', '99999999999'])
        assertProblem(await rollBack(version), 404, 5, /./)
      await world.admin('DELETE', pathOf(email))
      assertProblem(await rollBack('1'), 400, 9, /undelete it first/)
      const { policyVersions } = await list(email)
      assert.equal(policyVersions.length, 3)
    })

    test('of what is not there are not found', async () => {
      const email = await world.createIdentity([RULE])

      for (const path of [
        '/v1/workloadIdentities/nobody@workload.example.com/policyVersions',
        `${pathOf(email)}/policyVersions/2`,
        `${pathOf(email)}/policyVersions/one`,
        `${pathOf(email)}/policyVersions/2:diff`,
        `${pathOf(email)}/policyVersions/1:diff?against=2`,
      ]) {
        assertProblem(await world.admin('GET', path), 404, 5, /./)
      }
      assertProblem(
        await world.admin('GET', `${pathOf(email)}/policyVersions/1:diff?against=x`),
        400,
        3,
        /against/,
      )
    })
  })
}
