import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { createDatabase, DATABASES, runSql, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

describe('a service role beside the owner', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  const owner = `owner_${randomBytes(4).toString('hex')}`
  const role = `service_${randomBytes(4).toString('hex')}`
  const as = (url: string, name: string) => url.replace('postgres@', `${name}@`)
  let database: Awaited<ReturnType<typeof createDatabase>>
  let world: World
  let email: string

  before(async () => {
    database = await createDatabase()
    await runSql(database.url, `create role ${owner} login`)
    await runSql(database.url, `create role ${role} login`)
    await runSql(database.url, `grant create, usage on schema public to ${owner}`)
    const url = as(database.url, role)
    world = await startWorld('postgresql', {
      DATABASE_URL: url,
      MIGRATION_DATABASE_URL: as(database.url, owner),
    })
    email = await world.createIdentity([RULE])
    await world.exchange(jobToken(), email)
  })
  after(async () => {
    await world?.close()
    const server = database.url.slice(0, database.url.lastIndexOf('/'))
    await database.drop()
    for (const name of [owner, role]) await runSql(`${server}/postgres`, `drop role if exists ${name}`)
  })

  const jobToken = (claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
  const asService = (sql: string) => runSql(as(database.url, role), sql)

  test('serves all that there is', async () => {
    const token = jobToken()
    const answers = [
      await world.exchange(token, email),
      await world.exchange(token, email),
      await world.exchange('no token', email),
      await world.admin('GET', `/v1/workloadIdentities/${email}`),
      await world.admin('GET', `/v1/workloadIdentities/${email}/policy`),
      await world.admin('GET', `/v1/decisions?identity=${email}`),
      await world.admin('POST', '/v1/issuers?issuerId=another', {
        issuerUrl: 'https://gitlab.other.example',
        providerType: 'GITLAB',
      }),
      await world.admin('PATCH', '/v1/issuers/another', { title: 'Changed' }),
      await world.admin('PUT', '/v1/guardrails', { source: '' }),
      await world.request('GET', '/readyz'),
    ]
    const other = await world.createIdentity([RULE])
    answers.push(await world.admin('PATCH', `/v1/workloadIdentities/${other}`, { title: 'Other' }))
    answers.push(await world.admin('GET', '/v1/workspaces/default/workloadIdentities'))
    answers.push(await world.admin('POST', '/v1/projects?projectId=web', {}))
    answers.push(await world.admin('PATCH', '/v1/projects/web', { title: 'Web' }))
    answers.push(await world.admin('POST', '/v1/roles?roleId=dba', {}))
    answers.push(await world.admin('PATCH', '/v1/roles/dba', { permissions: ['bb.plans.get'] }))
    for (const members of [[`workloadIdentity:${other}`], []]) {
      const policy = { bindings: [{ role: 'roles/dba', members }] }
      answers.push(await world.admin('POST', '/v1/projects/web:setIamPolicy', { policy }))
    }
    answers.push(await world.admin('DELETE', '/v1/roles/dba'))
    answers.push(await world.admin('DELETE', `/v1/workloadIdentities/${other}`))
    answers.push(await world.exchange(jobToken(), other))

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 403, 401, ...Array(17).fill(200), 401],
    )
  })

  test('owns nothing and is no superuser', async () => {
    const owned = await runSql(
      database.url,
      `select relname from pg_class where relowner = '${role}'::regrole`,
    )
    const [attributes] = await runSql(
      database.url,
      `select rolsuper, rolcreaterole, rolbypassrls, pg_has_role('${role}', '${owner}', 'member') as is_owner
        from pg_roles where rolname = '${role}'`,
    )

    assert.deepEqual(owned, [])
    assert.deepEqual(attributes, {
      rolsuper: false,
      rolcreaterole: false,
      rolbypassrls: false,
      is_owner: false,
    })
  })

  test('may do with each table only what serving needs', async () => {
    const rows = await runSql(
      database.url,
      `select c.relname as name, string_agg(p, ',' order by p) as rights
        from pg_class c, unnest(array['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege('${role}', c.oid, p)
        group by c.relname order by c.relname`,
    )

    assert.deepEqual(Object.fromEntries(rows.map(({ name, rights }) => [name, rights])), {
      admin_tokens: 'INSERT,SELECT,UPDATE',
      changes: 'INSERT,SELECT',
      decisions: 'INSERT,SELECT',
      decision_retention: 'SELECT',
      decisions_default: 'SELECT',
      drafts: 'DELETE,INSERT,SELECT,UPDATE',
      explained_tokens: 'DELETE,INSERT,SELECT',
      guardrails: 'SELECT,UPDATE',
      issuers: 'INSERT,SELECT,UPDATE',
      kysely_migration: 'SELECT',
      policies: 'INSERT,SELECT',
      policy_versions: 'INSERT,SELECT',
      project_bindings: 'DELETE,INSERT,SELECT',
      projects: 'INSERT,SELECT,UPDATE',
      readiness: 'SELECT,UPDATE',
      revoked_tokens: 'DELETE,INSERT,SELECT',
      role_changes: 'SELECT,UPDATE',
      roles: 'DELETE,INSERT,SELECT,UPDATE',
      signing_keys: 'INSERT,SELECT,UPDATE',
      used_tokens: 'DELETE,INSERT,SELECT',
      workload_identities: 'INSERT,SELECT,UPDATE',
    })
  })

  for (const statement of [
    `update decisions set outcome = 'DENIED'`,
    'delete from decisions',
    'truncate decisions',
    'delete from decisions_default',
    'truncate decisions_default',
    'update policies set wasm = null',
    'delete from guardrails',
    'delete from policy_versions',
    'drop table decisions',
    'alter table decisions disable trigger all',
    'drop trigger append_only on decisions',
    'alter table decisions detach partition decisions_default',
    `set session_replication_role = 'replica'`,
    'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return null; end $$',
    'create rule quiet as on insert to decisions do instead nothing',
    `grant update on decisions to current_user`,
    'alter table decisions owner to current_user',
    'create table in_the_way (x int)',
    `update used_tokens set keep_until = now()`,
    'truncate used_tokens',
    'delete from signing_keys',
    'delete from workload_identities',
    'delete from projects',
    'delete from kysely_migration',
    'insert into decision_retention (days) values (1)',
    'update decision_retention set days = 1',
    'delete from decision_retention',
    'truncate decision_retention',
    'drop table decisions_2026_11',
  ]) {
    test(`cannot: ${statement}`, async () => {
      // A right that is missing is a warning where it is granted.
      const attempt = asService(statement).then(() => asService(`update decisions set reason = reason`))

      await assert.rejects(attempt, { code: '42501' })
    })
  }

  test('makes partitions ahead all the same, which are protected like the first', async () => {
    await asService(`select ensure_decision_partitions('2035-05-05', 0)`)

    await assert.rejects(asService('truncate decisions_2035_05'), { code: '42501' })
    await assert.rejects(runSql(database.url, 'truncate decisions_2035_05'), /append-only/)
    const [partition] = await runSql(
      database.url,
      `select pg_get_userbyid(relowner) as owner from pg_class where relname = 'decisions_2035_05'`,
    )
    assert.equal(partition.owner, owner)
  })

  test('makes none for a time that would take the names of others', async () => {
    for (const time of ['2027-02-15 BC', '12027-06-15', 'infinity', '1999-12-31']) {
      await assert.rejects(asService(`select ensure_decision_partitions('${time}', 2)`), /out of range/, time)
    }
  })

  test('drops months only as the owner has it written down, whatever time it gives', async () => {
    await asService(`select ensure_decision_partitions('2020-01-15', 0)`)
    const retire = async (time: string) =>
      (await asService(`select retire_decision_partition('${time}') as name`))[0]?.name

    const unasked = await retire('2020-12-31')
    await runSql(database.url, 'insert into decision_retention (days) values (30)')
    const inTime = await retire('2020-03-01T23:59:59.999Z')
    const late = await retire('2020-03-02T00:00:00Z')
    await runSql(database.url, 'delete from decision_retention')

    assert.deepEqual([unasked, inTime, late], [null, null, 'decisions_2020_01'])
  })

  test('cannot hand in a number of days of its own', async (t) => {
    await runSql(
      database.url,
      `grant temporary on database ${new URL(database.url).pathname.slice(1)} to ${role}`,
    )
    await asService(`select ensure_decision_partitions('2020-01-15', 0)`)
    const client = new pg.Client({ connectionString: as(database.url, role) })
    t.after(() => client.end())
    await client.connect()

    await client.query('create temporary table decision_retention as select 1 as days')
    const { rows } = await client.query('select retire_decision_partition(now()) as name')

    assert.deepEqual(rows, [{ name: null }])
  })

  test('does the hourly work without a fault', async () => {
    const partitions = await asService(
      `select relid::text as name from pg_partition_tree('decisions') where isleaf`,
    )

    const names = partitions.map(({ name }) => name)
    for (const name of ['decisions_2026_11', 'decisions_2026_12', 'decisions_2027_01'])
      assert.ok(names.includes(name), name)
    await asService('select exists (select from decisions_default)')
    await asService(`delete from used_tokens where keep_until < '2000-01-01'`)
  })

  test('starts again on a database that is migrated already', async () => {
    const again = await world.startInstance()

    const answer = await world.request('POST', '/v1/auth:exchangeToken', {
      body: { token: jobToken(), email },
      url: again.url,
    })

    assert.equal(answer.status, 200, answer.text)
  })
})
