import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createGrantStore, type GrantStore, type Subject } from '../../src/access/grant-store.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { addIdentity } from '../decision/sample-decisions.ts'
import { DATABASES } from '../support/world.ts'

const AGENT = 'roles/gitopsServiceAgent'

for (const kind of DATABASES) {
  describe(`what a subject is given, on ${kind}`, () => {
    let database: TestDatabase
    let grants: GrantStore
    let subject: Subject

    before(async () => {
      database = await openTestDatabase(kind)
      grants = createGrantStore(database.db)
      await addIdentity(database.db, 'other@workload.example.com')
      await addIdentity(database.db, 'ci@workload.example.com')
      const ids = await database.query('select email, id from workload_identities')
      const idOf = (email: string) => ids.find((row) => row.email === email).id
      subject = {
        identityId: idOf('ci@workload.example.com'),
        projectId: null,
        rules: [{ id: 'deploy', roles: ['roles/dba', AGENT] }],
      }
      await database.query(`
        insert into projects (id, title, state, create_time, update_time)
          select 'p-' || n, 'P', case n when 3 then 'DELETED' else 'ACTIVE' end, now(), now() from generate_series(1, 4) as n`)
      await database.query(`
        insert into roles (id, title, description, permissions, create_time, update_time)
          values ('dba', 'DBA', '', '{bb.databases.create,claimgate.roles.get}', now(), now()),
            ('constructor', '', '', '{a.b}', now(), now())`)
      const bindings: readonly (readonly [project: string, role: string, email: string, rule: string])[] = [
        ['p-1', 'roles/dba', 'ci@workload.example.com', ''],
        ['p-1', AGENT, 'ci@workload.example.com', 'deploy'],
        ['p-1', 'roles/auditor', 'ci@workload.example.com', 'review'],
        ['p-1', 'roles/workspaceAdmin', 'other@workload.example.com', ''],
        ['p-2', 'roles/constructor', 'ci@workload.example.com', ''],
        ['p-2', 'roles/toString', 'ci@workload.example.com', ''],
        ['p-3', 'roles/dba', 'ci@workload.example.com', ''],
      ]
      for (const [project, role, email, rule] of bindings) {
        await database.query(
          `insert into project_bindings values ('${project}', '${role}', '${idOf(email)}', '${rule}')`,
        )
      }
    })
    after(() => database?.close())

    const shown = async (of: Subject, projectId: string | null) =>
      (await grants.find(of, projectId)).grants.map(({ role, from, rule, projectId: where, permissions }) =>
        [role, from, rule ?? '', where ?? 'workspace', permissions.length].join(' '),
      )

    test('in a project: by its rules in the workspace, by plain memberships, and by those of a rule it met', async () => {
      assert.deepEqual(await shown(subject, 'p-1'), [
        'roles/dba RULE deploy workspace 2',
        `${AGENT} RULE deploy workspace 10`,
        'roles/dba MEMBERSHIP  p-1 2',
        `${AGENT} MEMBERSHIP deploy p-1 10`,
      ])
    })

    test('without rules the plain memberships alone', async () => {
      assert.deepEqual(await shown({ ...subject, rules: [] }, 'p-1'), ['roles/dba MEMBERSHIP  p-1 2'])
    })

    test('in the workspace: by its rules alone', async () => {
      assert.deepEqual(await shown(subject, null), [
        'roles/dba RULE deploy workspace 2',
        `${AGENT} RULE deploy workspace 10`,
      ])
    })

    test('of a project’s identity the rules’ roles count in that project, and nowhere else', async () => {
      const of = { ...subject, projectId: 'p-4' }

      assert.deepEqual(await shown(of, 'p-4'), ['roles/dba RULE deploy p-4 2', `${AGENT} RULE deploy p-4 10`])
      assert.deepEqual(await shown(of, null), [])
      assert.deepEqual(await shown(of, 'p-1'), [
        'roles/dba MEMBERSHIP  p-1 2',
        `${AGENT} MEMBERSHIP deploy p-1 10`,
      ])
    })

    test('in a deleted or unknown project nothing', async () => {
      for (const project of ['p-3', 'p-9', '']) {
        const { grants: found, placeExists } = await grants.find(subject, project)

        assert.deepEqual([found, placeExists], [[], false])
      }
    })

    test('a role that there is not gives nothing, whatever it is called', async () => {
      assert.deepEqual((await shown({ ...subject, rules: [] }, 'p-2')).sort(), [
        'roles/constructor MEMBERSHIP  p-2 1',
        'roles/toString MEMBERSHIP  p-2 0',
      ])
    })

    test('stands on revisions that change with what they are of, and with nothing else', async () => {
      const changes = {
        roles: `update roles set title = 'x' where id = 'constructor'`,
        iamPolicy: `update projects set iam_revision = nextval('revisions') where id = 'p-1'`,
        project: `update projects set revision = nextval('revisions') where id = 'p-1'`,
      }
      for (const [name, change] of Object.entries(changes)) {
        const { standsOn: before } = await grants.find(subject, 'p-1')
        await database.query(change)
        const { standsOn: after } = await grants.find(subject, 'p-1')

        const changed = Object.keys(before).filter(
          (key) => before[key as keyof typeof before] !== after[key as keyof typeof after],
        )
        assert.deepEqual(changed, [name])
      }
      for (const change of [
        `insert into roles values ('new', '', '', '{}', default, now(), now())`,
        `delete from roles where id = 'new'`,
      ]) {
        const { standsOn: before } = await grants.find(subject, null)
        await database.query(change)
        assert.notEqual((await grants.find(subject, null)).standsOn.roles, before.roles)
      }
    })

    test('its memberships are listed by project and role, of deleted projects none', async () => {
      assert.deepEqual(await grants.listMemberships(subject), [
        { projectId: 'p-1', role: 'roles/dba' },
        { projectId: 'p-1', role: AGENT },
        { projectId: 'p-2', role: 'roles/constructor' },
        { projectId: 'p-2', role: 'roles/toString' },
      ])
    })
  })

  test(`a hundred thousand memberships make no grant slower to find, on ${kind}`, async (t) => {
    const database = await openTestDatabase(kind)
    t.after(() => database.close())
    await addIdentity(database.db, 'ci@workload.example.com')
    const [{ id: identityId }] = await database.query('select id from workload_identities')
    await database.query(`
      insert into projects (id, title, state, create_time, update_time)
        select 'p-' || n, 'P', 'ACTIVE', now(), now() from generate_series(1, 10000) as n`)
    for (let role = 0; role < 10; role++) {
      await database.query(`
        insert into project_bindings select 'p-' || n, 'roles/role${role}', '${identityId}', '' from generate_series(1, 10000) n`)
    }
    await database.query('analyze')

    const plan = await database.query(`
      explain (analyze, format json)
      select role, rule from project_bindings where identity_id = '${identityId}' and project_id = 'p-77'`)

    const [{ Plan }] = plan[0]['QUERY PLAN']
    const nodes = (node: Record<string, unknown>): readonly Record<string, unknown>[] => [
      node,
      ...((node.Plans as Record<string, unknown>[] | undefined) ?? []).flatMap(nodes),
    ]
    assert.ok(
      nodes(Plan).every((node) => node['Node Type'] !== 'Seq Scan'),
      JSON.stringify(Plan),
    )
    assert.equal(Plan['Actual Rows'], 10)
  })
}
