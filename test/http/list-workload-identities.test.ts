import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { DATABASES, IDENTITY_DOMAIN, runSql, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const RULES = [{ group: 'acme' }]

for (const kind of DATABASES) {
  describe(`listing identities on ${kind}`, () => {
    let world: World
    const titles: Readonly<Record<string, string>> = {
      'a-1': 'Deploy',
      a1: 'deploy',
      'b-off': '100% of it',
      c: 'under_score',
      d: `it's "quoted"`,
      'e-gone': 'Deploy later',
      z: 'ÄÖ 漢字 🦊',
    }

    before(async () => {
      world = await startWorld(kind)
      for (const [id, title] of Object.entries(titles))
        await world.createIdentity(RULES, { id, identity: { title } })
      await world.admin('PATCH', `/v1/workloadIdentities/b-off@${IDENTITY_DOMAIN}`, { state: 'DISABLED' })
      await world.admin('DELETE', `/v1/workloadIdentities/e-gone@${IDENTITY_DOMAIN}`)
      await world.admin('POST', '/v1/projects?projectId=web', {})
      const config = { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: RULES }
      const inProject = '/v1/projects/web/workloadIdentities?workloadIdentityId=a1'
      await world.admin('POST', inProject, { workloadIdentityConfig: config })
    })
    after(() => world?.close())

    const list = (query: Record<string, string> = {}, path = IDENTITIES) =>
      world.admin('GET', `${path}?${new URLSearchParams(query)}`)
    const idsOf = (answer: { json: { workloadIdentities: { email: string }[] } }) =>
      answer.json.workloadIdentities.map(({ email }) => email.split('@')[0])

    test('gives those of the workspace by email, as they are read by name, and no deleted ones', async () => {
      const answer = await list()
      const read = await world.admin('GET', `/v1/workloadIdentities/a1@${IDENTITY_DOMAIN}`)

      assert.deepEqual(idsOf(answer), ['a-1', 'a1', 'b-off', 'c', 'd', 'z'])
      assert.deepEqual(answer.json.workloadIdentities[1], read.json)
      assert.equal(answer.json.nextPageToken, '')
    })

    test('gives deleted ones too where it is asked, but never one whose email was given anew', async () => {
      const id = 'reborn'
      const email = await world.createIdentity(RULES, { id, identity: { title: 'first life' } })
      await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
      await world.createIdentity(RULES, { id, identity: { title: 'second life' } })

      const all = await list({ showDeleted: 'true' })

      assert.ok(idsOf(all).includes('e-gone'))
      assert.deepEqual(
        all.json.workloadIdentities.filter((each: { email: string }) => each.email === email).length,
        1,
      )
      await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
      const again = await list({ showDeleted: 'true', filter: `email == "${email}"` })
      assert.deepEqual(
        again.json.workloadIdentities.map(({ title }: { title: string }) => title),
        ['second life'],
      )
    })

    test('gives each once over its pages, also while others come and go', async () => {
      const seen: (string | undefined)[] = []
      let pageToken = ''
      for (let page = 0; page === 0 || pageToken !== ''; page++) {
        const answer = await list({
          pageSize: '2',
          filter: 'email.contains("-")',
          ...(pageToken && { pageToken }),
        })
        seen.push(...idsOf(answer))
        pageToken = answer.json.nextPageToken
        await world.createIdentity(RULES, { id: `a-0${page}`, identity: { title: 'between' } })
      }

      assert.deepEqual(seen, ['a-1', 'b-off'])
    })

    test('takes a page token only for the list and the question that it was made for', async () => {
      const first = await list({ pageSize: '1' })
      const { nextPageToken } = first.json
      assert.notEqual(nextPageToken, '')

      const others = [
        await list({ pageToken: nextPageToken, showDeleted: 'true' }),
        await list({ pageToken: nextPageToken, filter: 'title == "x"' }),
        await list({ pageToken: nextPageToken }, '/v1/projects/web/workloadIdentities'),
        await list({ pageToken: nextPageToken }, '/v1/projects'),
        await list({ pageToken: `${nextPageToken}A` }),
      ]

      for (const answer of others) assertProblem(answer, 400, 3, /pageToken/)
      assert.equal((await list({ pageToken: nextPageToken, pageSize: '3' })).status, 200)
    })

    const FILTERS: readonly (readonly [filter: string, ids: readonly string[]])[] = [
      [`name == "workloadIdentities/a1@${IDENTITY_DOMAIN}"`, ['a1']],
      [`name == "a1@${IDENTITY_DOMAIN}"`, []],
      ['name.contains("Identities/z@")', ['z']],
      [`email == 'c@${IDENTITY_DOMAIN}'`, ['c']],
      ['email.contains("z@")', ['z']],
      ['title == "Deploy"', ['a-1']],
      ['title.contains("eploy")', ['a-1', 'a1']],
      ['title.contains("%")', ['b-off']],
      ['title.contains("_")', ['c']],
      ['title.contains("0% of")', ['b-off']],
      ['title == "%"', []],
      [`title == 'it\\'s "quoted"'`, ['d']],
      [`title == "it's \\"quoted\\""`, ['d']],
      ['title.contains("漢字 🦊")', ['z']],
      ['title.contains("ä")', []],
      ['title == "x\' or true --"', []],
      ['state == "DISABLED"', ['b-off']],
      ['state == "DELETED"', []],
      ['state == "ACTIVE" && title.contains("Deploy")', ['a-1']],
      ['email.contains("a1") && email.contains("z")', []],
    ]
    for (const [filter, ids] of FILTERS) {
      test(`the filter ${filter} gives ${ids.join(', ') || 'none'}`, async () => {
        const answer = await list({ filter })

        assert.equal(answer.status, 200, answer.text)
        assert.deepEqual(idsOf(answer), ids)
      })
    }

    test('the filter for deleted ones gives them where they are shown', async () => {
      const answer = await list({
        filter: 'state == "DELETED" && title == "Deploy later"',
        showDeleted: 'true',
      })

      assert.deepEqual(idsOf(answer), ['e-gone'])
    })

    test('what is no filter is refused by name, with what may stand there', async () => {
      const wrong = [
        'title',
        'title == "a',
        'title = "a"',
        'group == "a"',
        'state == "GONE"',
        'title == "a" ||',
      ]
      for (const filter of wrong) assertProblem(await list({ filter }), 400, 3, /parameter filter/)
      assertProblem(await list({ filter: 'group == "a"' }), 400, 3, /email, name, title/)
      assertProblem(await list({ filter: 'title == "\u0000"' }), 400, 3, /'filter'.*control/)
      assertProblem(await list({ filter: `title == "${'x'.repeat(3_000)}"` }), 400, 3, /parameter filter/)
      assertProblem(await list({ showDeleted: 'yes' }), 400, 3, /parameter showDeleted/)
      assertProblem(await list({ pageSize: '-1' }), 400, 3, /parameter pageSize/)
      assertProblem(await list({ orderBy: 'title' }), 400, 3, /'orderBy'/)
    })

    test('of a project gives those of this project alone', async () => {
      const answer = await list({}, '/v1/projects/web/workloadIdentities')

      assert.deepEqual(
        answer.json.workloadIdentities.map(({ email }: { email: string }) => email),
        [`a1@web.${IDENTITY_DOMAIN}`],
      )
      assertProblem(await list({}, '/v1/projects/none/workloadIdentities'), 404, 5, /no such project/)
    })

    test('is for administrators', async () => {
      for (const path of [IDENTITIES, '/v1/projects/web/workloadIdentities', '/v1/projects']) {
        assertProblem(await world.request('GET', path), 401, 16, /admin token/)
      }
    })

    test('a page is read from an index, however many identities there are', async () => {
      if (world.databaseUrl === undefined) return
      await runSql(
        world.databaseUrl,
        `insert into workload_identities (id, email, title, state, token_lifetime_seconds, subject_token_use,
            token_audiences, recorded_claims, config, issuer_id, policy_digest, create_time, update_time)
          select gen_random_uuid(), 'many-' || n || '@x', '', 'ACTIVE', 3600, 'ONCE', '[]', '[]', config, issuer_id,
            policy_digest, now(), now()
          from generate_series(1, 5000) n, (select * from workload_identities limit 1) as model`,
      )
      await runSql(world.databaseUrl, 'analyze workload_identities')

      const [plan] = await runSql(
        world.databaseUrl,
        `explain (format json) select i.* from workload_identities i left join projects p on p.id = i.project_id
          where superseded = false and project_id is null and true and i.state <> 'DELETED'
          order by project_id, email collate "C" limit 11`,
      )

      assert.match(JSON.stringify(plan), /workload_identities_by_parent/)
      assert.doesNotMatch(JSON.stringify(plan), /"Sort"/)
    })
  })
}
