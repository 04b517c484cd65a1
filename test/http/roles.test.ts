import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const ROLES = '/v1/roles'
const BUILT_IN = ['auditor', 'gitopsServiceAgent', 'policyAuthor', 'workspaceAdmin']

for (const kind of DATABASES) {
  describe(`roles on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    let made = 0
    const newId = () => `made-${++made}`
    const create = (id: string, body: unknown = {}) =>
      world.admin('POST', `${ROLES}?roleId=${encodeURIComponent(id)}`, body)
    const get = (id: string) => world.admin('GET', `${ROLES}/${id}`)
    const patch = (id: string, body: unknown, mask?: string) =>
      world.admin('PATCH', `${ROLES}/${id}${mask === undefined ? '' : `?updateMask=${mask}`}`, body)
    const remove = (id: string) => world.admin('DELETE', `${ROLES}/${id}`)
    const rule = (...roles: readonly string[]) => ({ id: 'ci', group: 'acme', roles })
    const setMembers = (project: string, bindings: readonly object[]) =>
      world.admin('POST', `/v1/projects/${project}:setIamPolicy`, { policy: { bindings } })

    test('a role is created, and read back as it was answered', async () => {
      const permissions = ['bb.databases.update', 'claimgate.roles.get', 'bb.databases.create']

      const created = await create('dbaTeam-2', { title: 'DBA', description: 'Of the team.', permissions })
      const least = await create('a')

      assert.equal(created.status, 200, created.text)
      assertSafeHeaders(created)
      const { etag, createTime, updateTime, ...rest } = created.json
      assert.deepEqual(rest, {
        name: 'roles/dbaTeam-2',
        title: 'DBA',
        description: 'Of the team.',
        permissions: permissions.toSorted(),
        type: 'CUSTOM',
      })
      assert.equal(created.headers.get('etag'), `"${etag}"`)
      assert.deepEqual([createTime, updateTime], Array(2).fill(new Date(world.clock()).toISOString()))
      assert.deepEqual([least.json.title, least.json.description, least.json.permissions], ['a', '', []])
      assert.deepEqual((await get('dbaTeam-2')).json, created.json)
      assertProblem(await get('none'), 404, 5, /no such role/)
    })

    test('an id is letters, digits and -, and taken once, also by what is built in', async () => {
      const ids = ['Dba', '1st', '-a', 'a_b', 'a.b', 'a/b', 'ä', 'a b', `a${'b'.repeat(63)}`]
      for (const id of ids) assertProblem(await create(id), 400, 3, /roleId must be letters/)
      assertProblem(await world.admin('POST', ROLES, {}), 400, 3, /roleId is required/)
      assert.equal((await create(`a${'B'.repeat(62)}`)).status, 200)

      await create('once')
      assertProblem(await create('once'), 409, 6, /roles\/once exists already/)
      for (const id of BUILT_IN) assertProblem(await create(id), 409, 6, /is built in/)
      const race = await Promise.all(Array.from({ length: 4 }, () => create('raced')))
      assert.deepEqual(race.map(({ status }) => status).sort(), [200, 409, 409, 409])
    })

    const REFUSED: readonly (readonly [name: string, body: object, names: RegExp])[] = [
      [
        'a permission of claimgate that is none',
        { permissions: ['claimgate.x.y'] },
        /permissions\[0\].*nearest is claimgate\.\w+\.\w+/,
      ],
      [
        'one that is misspelt, with the right one named',
        { permissions: ['bb.a.b', 'claimgate.role.create'] },
        /permissions\[1\] .*'claimgate\.role\.create'.*nearest is claimgate\.roles\.create/,
      ],
      [
        'one of claimgate in other letters',
        { permissions: ['Claimgate.roles.create'] },
        /nearest is claimgate\.roles\.create/,
      ],
      ['claimgate alone', { permissions: ['claimgate'] }, /no permission of claimgate/],
      ['a star', { permissions: ['bb.*'] }, /dotted name/],
      ['a word without a dot', { permissions: ['admin'] }, /dotted name/],
      ['an empty one', { permissions: [''] }, /permissions\[0\]/],
      ['an endless one', { permissions: [`a.${'b'.repeat(150)}`] }, /at most 150/],
      ['too many', { permissions: Array.from({ length: 501 }, (_, i) => `a.b${i}`) }, /permissions/],
      ['a permission that is no text', { permissions: [5] }, /permissions\[0\]/],
      ['an unknown field', { permission: [] }, /permission is not a field: the nearest is permissions/],
      ['another name', { name: 'roles/other' }, /name must be roles\/wrong/],
      ['a title of two lines', { title: 'a\nb' }, /title must be one line/],
      ['a description of two lines', { description: 'a\nb' }, /description must be one line/],
    ]
    for (const [name, body, names] of REFUSED) {
      test(`${name} is refused by name`, async () => {
        assertProblem(await create('wrong', body), 400, 3, names)
        assertProblem(await get('wrong'), 404, 5, /./)
      })
    }

    test('a permission that is given twice is given once', async () => {
      const { json } = await create(newId(), { permissions: ['a.b', 'a.b', 'A.b'] })

      assert.deepEqual(json.permissions, ['A.b', 'a.b'])
    })

    test('is changed in place: the fields of the body, or those of the mask', async () => {
      const id = newId()
      const { json: before } = await create(id, { title: 'Before', permissions: ['a.b'] })
      world.clock.advance(1_000)

      const titled = await patch(id, { title: 'After' })
      const masked = await patch(id, { permissions: ['c.d'], title: 'not this' }, 'permissions')
      const emptied = await patch(id, {}, 'title,permissions')
      const whole = await patch(id, { ...masked.json, etag: emptied.json.etag })

      assert.deepEqual([titled.json.title, titled.json.permissions], ['After', ['a.b']])
      assert.notEqual(titled.json.etag, before.etag)
      assert.equal(titled.json.createTime, before.createTime)
      assert.notEqual(titled.json.updateTime, before.updateTime)
      assert.deepEqual([masked.json.title, masked.json.permissions], ['After', ['c.d']])
      assert.deepEqual([emptied.json.title, emptied.json.permissions], [id, []])
      assert.deepEqual([whole.json.title, whole.json.permissions], ['After', ['c.d']])
      for (const mask of ['name', 'type', 'etag', 'createTime']) {
        assertProblem(await patch(id, {}, mask), 400, 3, /which cannot be set/)
      }
      assertProblem(await patch(id, {}, 'permission'), 400, 3, /nearest is permissions/)
      assertProblem(await patch(id, {}), 400, 3, /no field that can be changed/)
      assertProblem(await patch('none', { title: 'x' }), 404, 5, /no such role/)
    })

    test('a stale etag changes and deletes nothing, in the header or in the body', async () => {
      const id = newId()
      const { json } = await create(id)
      await patch(id, { title: 'Changed' })
      const headers = { authorization: `Bearer ${world.adminToken}`, 'if-match': `"${json.etag}"` }

      assertProblem(
        await world.request('PATCH', `${ROLES}/${id}`, { headers, body: { title: 'x' } }),
        409,
        10,
        /etag/,
      )
      assertProblem(await patch(id, { title: 'x', etag: json.etag }), 409, 10, /etag/)
      assertProblem(await world.request('DELETE', `${ROLES}/${id}`, { headers }), 409, 10, /etag/)
      assert.equal((await get(id)).json.title, 'Changed')
    })

    test('what is built in is listed and read, and neither changed nor deleted', async () => {
      for (const id of BUILT_IN) {
        const { json } = await get(id)
        assert.equal(json.type, 'BUILT_IN')
        assertProblem(await patch(id, json), 400, 9, /is built in/)
        assertProblem(await patch(id, { permissions: ['a.b'] }), 400, 9, /is built in/)
        assertProblem(await remove(id), 400, 9, /is built in/)
      }
      const { permissions } = (await get('gitopsServiceAgent')).json
      assert.ok(permissions.includes('bb.plans.create') && permissions.includes('bb.taskRuns.create'))
      assert.ok(!permissions.some((each: string) => each.startsWith('claimgate.')))
    })

    test('the list goes by id over its pages, what is built in among the others, and can be filtered', async () => {
      for (const id of ['b', 'gitopsZ', 'z']) await create(id, { title: `listed ${id}` })
      const list = (query: Record<string, string>) =>
        world.admin('GET', `${ROLES}?${new URLSearchParams(query)}`)
      const names: string[] = []
      let pageToken = ''

      do {
        const { json } = await list({ pageSize: '2', pageToken })
        names.push(...json.roles.map(({ name }: { name: string }) => name))
        pageToken = json.nextPageToken
      } while (pageToken !== '')
      const builtIn = await list({ filter: 'type == "BUILT_IN"' })
      const titled = await list({ filter: 'title.contains("listed") && type == "CUSTOM"' })
      const named = await list({ filter: 'name == "roles/auditor"' })

      assert.deepEqual(names, names.toSorted())
      assert.equal(new Set(names).size, names.length)
      for (const id of [...BUILT_IN, 'b', 'gitopsZ', 'z']) assert.ok(names.includes(`roles/${id}`), id)
      assert.deepEqual(
        builtIn.json.roles.map(({ name }: { name: string }) => name),
        BUILT_IN.map((id) => `roles/${id}`),
      )
      assert.equal(titled.json.roles.length, 3)
      assert.deepEqual(named.json.roles, [(await get('auditor')).json])
      assertProblem(await list({ filter: 'permissions == "x"' }), 400, 3, /filter.*name, title/)
      assertProblem(await list({ filter: 'type == "OTHER"' }), 400, 3, /BUILT_IN/)
      assertProblem(await list({ showDeleted: 'true' }), 400, 3, /showDeleted/)
    })

    test('rules give it, and what it gives counts from its next change on', async () => {
      const id = newId()
      await create(id, { permissions: ['claimgate.roles.list'] })
      const email = await world.createIdentity([rule(`roles/${id}`)])
      const { accessToken } = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)).json
      const ask = () => world.request('GET', ROLES, { headers: { authorization: `Bearer ${accessToken}` } })

      const given = await ask()
      await patch(id, { permissions: ['claimgate.roles.get'] })
      const taken = await ask()

      assert.equal(given.status, 200, given.text)
      assertProblem(taken, 403, 7, /claimgate\.roles\.list/)
    })

    test('a rule with a role that is none is refused, with the nearest of all that there are', async () => {
      const id = newId()
      await create(`${id}-deployer`)
      const answer = await world.admin(
        'POST',
        '/v1/workspaces/default/workloadIdentities?workloadIdentityId=none',
        {
          workloadIdentityConfig: {
            providerType: 'GITLAB',
            issuerUrl: world.gitlab.issuerUrl,
            rules: [rule(`roles/${id}-deploier`)],
          },
        },
      )

      assertProblem(answer, 400, 3, new RegExp(`rules\\[0\\]\\.roles\\[0\\].*'roles/${id}-deployer'`))
    })

    describe('in use it is not deleted, and the answer says where', () => {
      test('by a rule, a disabled one of a deleted identity too, until its email is given anew', async () => {
        const id = newId()
        await create(id)
        const email = await world.createIdentity([
          rule(),
          { id: 'off', group: 'acme', disabled: true, roles: [`roles/${id}`] },
        ])

        const used = await remove(id)
        await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
        const ofDeleted = await remove(id)
        await world.createIdentity([rule()], { id: email.slice(0, email.indexOf('@')) })
        const ofNobody = await remove(id)

        const where = new RegExp(`in use: rule 'off' of workloadIdentities/${email}`)
        for (const answer of [used, ofDeleted]) assertProblem(answer, 400, 9, where)
        assert.deepEqual([ofNobody.status, ofNobody.json], [200, {}])
        assertProblem(await get(id), 404, 5, /./)
        assertProblem(await remove(id), 404, 5, /./)
      })

      test('by a member of a project', async () => {
        const id = newId()
        await create(id)
        await world.admin('POST', `/v1/projects?projectId=${id}`, {})
        const email = await world.createIdentity([rule()])
        const members = [`workloadIdentity:${email}`]
        await setMembers(id, [{ role: `roles/${id}`, members }])

        const used = await remove(id)
        await setMembers(id, [])
        const unused = await remove(id)

        assertProblem(used, 400, 9, new RegExp(`${email} in the IamPolicy of projects/${id}`))
        assert.equal(unused.status, 200, unused.text)
      })

      test('however its deletion and what gives it are timed: one of the two is refused', async () => {
        await world.admin('POST', '/v1/projects?projectId=race', {})
        const email = await world.createIdentity([rule()])
        for (let round = 0; round < 6; round++) {
          const id = newId()
          await create(id)
          const role = `roles/${id}`
          const giving = [
            () =>
              world.admin('PATCH', `/v1/workloadIdentities/${email}`, {
                workloadIdentityConfig: { rules: [rule(role)] },
              }),
            () => setMembers('race', [{ role, members: [`workloadIdentity:${email}`] }]),
            () => world.admin('POST', `/v1/adminTokens?adminTokenId=${id}`, { roles: [role] }),
          ][round % 3]

          const [given, removed] = await Promise.all([giving?.(), remove(id)])

          assert.notEqual(given?.status === 200, removed.status === 200, `${given?.text} ${removed.text}`)
          await world.admin('PATCH', `/v1/workloadIdentities/${email}`, {
            workloadIdentityConfig: { rules: [rule()] },
          })
          await setMembers('race', [])
        }
      })
    })

    describe('nobody makes, widens, changes or deletes one that gives what they do not hold', () => {
      const ADMINISTERING = ['claimgate.roles.create', 'claimgate.roles.update', 'claimgate.roles.delete']
      const as = (token: string, method: string, path: string, body?: unknown) =>
        world.request(method, path, { body, headers: { authorization: `Bearer ${token}` } })
      const signIn = async (email: string) => {
        const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
        return answer.json.accessToken as string
      }
      let token: string

      before(async () => {
        await create('roleMaker', { permissions: ADMINISTERING })
        await create('beyond', { permissions: ['claimgate.issuers.create'] })
        token = await signIn(await world.createIdentity([rule('roles/roleMaker')]))
      })

      for (const [name, method, path, body] of [
        ['make', 'POST', `${ROLES}?roleId=mine`, { permissions: ['claimgate.issuers.create'] }],
        [
          'widen its own',
          'PATCH',
          `${ROLES}/roleMaker`,
          { permissions: [...ADMINISTERING, 'claimgate.roles.get'] },
        ],
        ['change', 'PATCH', `${ROLES}/beyond`, { title: 'Mine' }],
        ['narrow', 'PATCH', `${ROLES}/beyond`, { permissions: [] }],
        ['delete', 'DELETE', `${ROLES}/beyond`, undefined],
      ] as const) {
        test(name, async () => {
          assertProblem(await as(token, method, path, body), 403, 7, /gives permissions that you do not hold/)
        })
      }

      test('but others, of services behind and of what they hold', async () => {
        const answers = [
          await as(token, 'POST', `${ROLES}?roleId=theirs`, {
            permissions: ['bb.plans.create', 'claimgate.roles.create'],
          }),
          await as(token, 'PATCH', `${ROLES}/theirs`, { permissions: ['bb.plans.create'] }),
          await as(token, 'DELETE', `${ROLES}/theirs`),
        ]

        for (const answer of answers) assert.equal(answer.status, 200, answer.text)
      })
    })
  })
}
