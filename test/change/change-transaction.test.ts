import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { DATABASES, IDENTITY_DOMAIN, runSql, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme' }

/** The embedded database has no second way in, by which it could be made to refuse. */
describe('a change that cannot be written down', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  let world: World

  before(async () => {
    world = await startWorld('postgresql')
    await runSql(
      world.databaseUrl ?? '',
      `create function refuse_some() returns trigger language plpgsql as $$
        begin
          if new.resource like '%unwritable%' then raise exception 'no'; end if;
          return new;
        end $$;
      create trigger refuse_some before insert on changes for each row execute function refuse_some()`,
    )
  })
  after(() => world?.close())

  test('is not made: a project, an issuer, an identity', async () => {
    const rule = { rules: [RULE], providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl }
    const answers = [
      await world.admin('POST', '/v1/projects?projectId=unwritable', {}),
      await world.admin('POST', '/v1/issuers?issuerId=unwritable', {
        issuerUrl: 'https://gitlab.other.example',
        providerType: 'GITLAB',
      }),
      await world.admin('POST', '/v1/workspaces/default/workloadIdentities?workloadIdentityId=unwritable', {
        title: 'x',
        workloadIdentityConfig: rule,
      }),
    ]
    const found = await Promise.all(
      ['projects/unwritable', 'issuers/unwritable', `workloadIdentities/unwritable@${IDENTITY_DOMAIN}`].map(
        (name) => world.admin('GET', `/v1/${name}`),
      ),
    )

    for (const answer of answers) assertProblem(answer, 500, 13, /Something went wrong/)
    assert.deepEqual(
      found.map(({ status }) => status),
      [404, 404, 404],
    )
  })

  test('is not made in part: an issuer that comes with an identity, of many changes the others', async () => {
    const identity = (email: string, issuerUrl: string) => ({
      action: 'CREATE',
      email: `${email}@${IDENTITY_DOMAIN}`,
      workloadIdentity: {
        title: 'x',
        workloadIdentityConfig: { rules: [RULE], providerType: 'GITLAB', issuerUrl },
      },
    })
    const changes = [
      identity('written', 'https://new.example.com'),
      identity('unwritable', world.gitlab.issuerUrl),
    ]

    const answer = await world.admin('POST', '/v1/workspaces/default:applyPolicies', { changes })

    assert.equal(answer.status, 500, answer.text)
    assert.equal((await world.admin('GET', `/v1/workloadIdentities/written@${IDENTITY_DOMAIN}`)).status, 404)
    assert.equal((await world.admin('GET', '/v1/issuers/new-example-com')).status, 404)
    const recorded = await world.admin('GET', '/v1/changes?resource=issuers/new-example-com')
    assert.deepEqual(recorded.json.changes, [])
  })

  test('and a refusal that cannot be is answered only as a fault of ours', async () => {
    const answer = await world.admin('DELETE', '/v1/projects/unwritable')

    assertProblem(answer, 500, 13, /Something went wrong/)
  })
})
