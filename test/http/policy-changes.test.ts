import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import {
  type Answer,
  IDENTITY_DOMAIN,
  ONE_DATABASE,
  runSql,
  startWorld,
  type World,
} from '../support/world.ts'

const PLAN = '/v1/workspaces/default:planPolicies'
const APPLY = '/v1/workspaces/default:applyPolicies'
const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const AGENT = 'roles/gitopsServiceAgent'

type Change = {
  readonly action: string
  readonly email: string
  readonly etag?: string
  readonly after?: object
  readonly findings: readonly {
    readonly code: string
    readonly isNew: boolean
    readonly isBlocking: boolean
  }[]
}

for (const kind of ONE_DATABASE) {
  describe(`identities planned and applied together, on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
      await world.admin('POST', '/v1/projects?projectId=web', {})
    })
    after(() => world?.close())
    afterEach(async () => {
      for (const { email } of await living()) await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
    })

    const emailOf = (id: string, project?: string) =>
      project === undefined ? `${id}@${IDENTITY_DOMAIN}` : `${id}@${project}.${IDENTITY_DOMAIN}`
    const rule = (more: object = {}) => ({ id: 'ci', group: 'acme', roles: [AGENT], ...more })
    const wanted = (id: string, more: object = {}, ruleMore: object = {}, config: object = {}) => ({
      workloadIdentityId: id,
      workloadIdentity: identityBody(world.gitlab.issuerUrl, { rules: [rule(ruleMore)], ...config }, more),
    })
    const plan = (workloadIdentities: readonly object[], prune = false) =>
      world.admin('POST', PLAN, { workloadIdentities, ...(prune && { keep: [] }) })
    const toApply = (changes: readonly Change[]) => ({
      changes: changes.map(({ action, email, etag, after: workloadIdentity }) => ({
        action,
        email,
        ...(etag !== undefined && { etag }),
        ...(workloadIdentity !== undefined && { workloadIdentity }),
      })),
    })
    const apply = (changes: readonly Change[]) => world.admin('POST', APPLY, toApply(changes))
    const changesOf = async (workloadIdentities: readonly object[], prune = false): Promise<Change[]> => {
      const answer = await plan(workloadIdentities, prune)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.changes
    }
    const setUp = async (...workloadIdentities: readonly object[]) => {
      const answer = await apply(await changesOf(workloadIdentities))
      assert.equal(answer.status, 200, answer.text)
    }
    async function living(): Promise<{ email: string; etag: string; title: string; state: string }[]> {
      const lists = [IDENTITIES, '/v1/projects/web/workloadIdentities']
      const answers = await Promise.all(lists.map((path) => world.admin('GET', `${path}?pageSize=1000`)))
      return answers.flatMap(({ json }) => json.workloadIdentities)
    }
    /** The answer refuses, and nothing at all is another than before. */
    async function changesNothing(act: () => Promise<Answer>): Promise<Answer> {
      const earlier = [await living(), (await world.admin('GET', '/v1/issuers')).json]
      const answer = await act()
      assert.deepEqual([await living(), (await world.admin('GET', '/v1/issuers')).json], earlier)
      return answer
    }

    test('a plan changes nothing, an apply of it does all of it, and then there is nothing to change', async () => {
      const all = [wanted('a'), wanted('b', { state: 'DISABLED' }), { ...wanted('c'), project: 'web' }]

      const planned = await changesNothing(() => plan(all))
      const applied = await apply(planned.json.changes)
      const again = await plan(all, true)

      assert.equal(planned.status, 200, planned.text)
      assert.deepEqual(
        planned.json.changes.map(({ action, email }: Change) => [action, email]),
        [
          ['CREATE', emailOf('a')],
          ['CREATE', emailOf('b')],
          ['CREATE', emailOf('c', 'web')],
        ],
      )
      assert.equal(applied.status, 200, applied.text)
      assert.deepEqual(
        (await living()).map(({ email, state }) => [email, state]),
        [
          [emailOf('a'), 'ACTIVE'],
          [emailOf('b'), 'DISABLED'],
          [emailOf('c', 'web'), 'ACTIVE'],
        ],
      )
      assert.deepEqual(again.json, { changes: [], emails: [emailOf('a'), emailOf('b'), emailOf('c', 'web')] })
    })

    test('what is applied is what a create of the same body makes, and lets the same jobs in', async () => {
      const { workloadIdentity } = wanted('one')
      const single = await world.admin('POST', `${IDENTITIES}?workloadIdentityId=one`, workloadIdentity)
      await setUp(wanted('two'))

      const two = await world.admin('GET', `/v1/workloadIdentities/${emailOf('two')}`)
      const exchanged = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), emailOf('two'))

      for (const field of [
        'title',
        'state',
        'tokenLifetimeSeconds',
        'workloadIdentityConfig',
        'policyDigest',
      ]) {
        assert.deepEqual(two.json[field], single.json[field], field)
      }
      assert.equal(exchanged.status, 200, exchanged.text)
    })

    test('a change says what is and what would be, and what the author leaves out gets its default', async () => {
      await setUp(wanted('a', { title: 'Old', tokenLifetimeSeconds: 60 }))

      const [change, ...others] = (
        await plan([wanted('a', { title: 'New' }, { refs: [{ type: 'TAG', pattern: 'v*' }] })])
      ).json.changes
      const applied = await apply([change])

      assert.deepEqual(others, [])
      assert.equal(change.action, 'UPDATE')
      assert.deepEqual([change.before.title, change.after.title], ['Old', 'New'])
      assert.deepEqual([change.before.tokenLifetimeSeconds, change.after.tokenLifetimeSeconds], [60, 3600])
      assert.equal(change.after.workloadIdentityConfig.rules[0].protectedRefsOnly, true)
      assert.ok(change.notices.some((notice: string) => /protectedRefsOnly: changed/.test(notice)))
      assert.deepEqual(
        applied.json.workloadIdentities[0].workloadIdentityConfig,
        change.after.workloadIdentityConfig,
      )
    })

    test('a state that is not stated stays as it is', async () => {
      await setUp(wanted('a', { state: 'DISABLED' }))

      const silent = await plan([wanted('a')])
      const stated = await plan([wanted('a', { state: 'ACTIVE' })])

      assert.deepEqual(silent.json.changes, [])
      assert.deepEqual(
        stated.json.changes.map(({ before: was, after: is }: { before: object; after: object }) =>
          [was, is].map((each) => Reflect.get(each, 'state')),
        ),
        [['DISABLED', 'ACTIVE']],
      )
    })

    test('what is only validated is checked as an apply is, and changes nothing', async () => {
      const changes = await changesOf([wanted('a')])
      const validate = () => world.admin('POST', APPLY, { ...toApply(changes), validateOnly: true })

      const good = await changesNothing(validate)
      await setUp(wanted('a'))
      const stale = await changesNothing(validate)

      assert.deepEqual(good.json, { workloadIdentities: [], deleted: [] })
      assertProblem(stale, 409, 10, /Plan again/)
    })

    test('findings are told of what would be, apart from those that are there already', async () => {
      await setUp(wanted('a'))

      const [renamed] = await changesOf([wanted('a', { title: 'New' })])
      const [opened, created] = await changesOf([
        wanted('a', {}, { mergeRequests: 'SAME_PROJECT', roles: ['roles/workspaceAdmin'] }),
        wanted('b'),
      ])

      const told = (change: Change | undefined) => change?.findings.map(({ code, isNew }) => [code, isNew])
      assert.ok(renamed?.findings.some(({ code }) => code === 'no_project' || code === 'whole_group_open'))
      assert.ok(renamed?.findings.every(({ isNew }) => !isNew))
      assert.deepEqual(
        told(opened)?.filter(([, isNew]) => isNew),
        [['administrative_role', true]],
      )
      assert.deepEqual(
        told(created),
        told(renamed)?.map(([code]) => [code, true]),
      )
    })

    test('a finding that refuses a save refuses them all, unless they say why it may be', async () => {
      const strict = await world.startInstance({ BLOCK_FINDINGS: 'warning' })
      const changes = await changesOf([wanted('a'), wanted('b')])
      const headers = { authorization: `Bearer ${world.adminToken}` }
      const send = (query: string) =>
        world.request('POST', `${APPLY}${query}`, { url: strict.url, body: toApply(changes), headers })

      const refused = await changesNothing(() => send(''))
      const mixed = await changesNothing(() =>
        world.request('POST', APPLY, {
          url: strict.url,
          body: {
            changes: [
              ...toApply(changes.slice(0, 1)).changes,
              { action: 'CREATE', email: 'c@elsewhere.example.com', workloadIdentity: changes[1]?.after },
            ],
          },
          headers,
        }),
      )
      const acknowledged = await send('?acknowledge=A%20trial.&reason=It%20begins.')

      assertProblem(refused, 400, 9, /^a@.*BLOCK_FINDINGS is warning.*acknowledge.*and 1 more problems$/)
      const told = refused.json.details[0].findings
      assert.deepEqual(
        [...new Set(told.map(({ index, email }: Record<string, unknown>) => `${index} ${email}`))],
        [`0 ${emailOf('a')}`, `1 ${emailOf('b')}`],
      )
      assert.ok(
        told.every(({ grade, isNew }: Record<string, unknown>) => grade !== 'NOTE' && isNew === undefined),
      )
      assertProblem(mixed, 400, 3, /^a@.*BLOCK_FINDINGS is warning.*and 1 more problems$/)
      assert.deepEqual(
        mixed.json.details[0].problems.map(({ index }: { index: number }) => index),
        [0, 1],
      )
      assert.equal(acknowledged.status, 200, acknowledged.text)
      for (const { email, acknowledgements, findings } of acknowledged.json.workloadIdentities) {
        const path = `/v1/workloadIdentities/${email}/policyVersions`
        const { json } = await world.request('GET', path, { url: strict.url, headers })
        const [version] = json.policyVersions
        assert.equal(acknowledgements[0].reason, 'A trial.')
        assert.ok(findings.length > 0)
        assert.deepEqual([version.author, version.reason], ['adminTokens/first', 'It begins.'])
      }
    })

    test('a plan tells which findings refuse its apply, of the same that it does refuse, and is not refused itself', async () => {
      await setUp(wanted('a'))
      const strict = await world.startInstance({ BLOCK_FINDINGS: 'critical' })
      const headers = { authorization: `Bearer ${world.adminToken}` }
      const send = (path: string, body: object) =>
        world.request('POST', path, { url: strict.url, body, headers })
      const planned = async (...identities: readonly object[]) => {
        const { status, json, text } = await send(PLAN, { workloadIdentities: identities })
        assert.equal(status, 200, text)
        return json.changes as Change[]
      }
      const blocking = (changes: readonly Change[]) =>
        changes.map(({ findings }) => findings.filter((each) => each.isBlocking).map(({ code }) => code))

      const changes = await planned(wanted('a', { title: 'Renamed' }), wanted('b'))
      const refused = await send(APPLY, toApply(changes))
      const narrow = await planned(wanted('b', {}, { project: 'app' }))
      const disabled = await planned(wanted('a', { state: 'DISABLED' }))
      await send(`${APPLY}?acknowledge=A%20trial.`, toApply(changes))
      const again = await planned(wanted('a', { title: 'Once more' }), wanted('b', {}, { group: 'other' }))

      assert.deepEqual(blocking(changes), [['whole_group_open'], ['whole_group_open']])
      assert.deepEqual(
        refused.json.details[0].findings.map(({ code, index }: Record<string, unknown>) => [code, index]),
        [
          ['whole_group_open', 0],
          ['whole_group_open', 1],
        ],
      )
      assert.deepEqual(blocking(narrow), [[]])
      assert.deepEqual(blocking(disabled), [[]])
      assert.deepEqual(blocking(again), [[], ['whole_group_open']])
    })

    test('a stored test that fails refuses a plan and an apply, and one that passes is stored', async () => {
      const claims = { namespace_path: 'other', project_path: 'other/app' }
      const withTest = (id: string, expect: string) =>
        wanted(id, { tests: [{ title: 'outsiders', claims, expect }] })
      const changes = await changesOf([withTest('a', 'DENIED'), withTest('b', 'DENIED')])
      const wrong = changes.map((change) => ({
        ...change,
        after: { ...change.after, tests: [{ title: 'outsiders', claims, expect: 'ALLOWED' }] },
      }))

      const planned = await plan([withTest('a', 'ALLOWED')])
      const refused = await changesNothing(() => apply(wrong))
      const applied = await apply(changes)

      assertProblem(planned, 400, 3, /^a@.*Test 'outsiders' expects ALLOWED/)
      assertProblem(refused, 400, 3, /^a@.*Test 'outsiders' expects ALLOWED/)
      assert.equal(applied.status, 200, applied.text)
      assert.equal(applied.json.workloadIdentities[1].tests[0].title, 'outsiders')
    })

    test('conditions are compiled with the rules, and removed where they are left out', async () => {
      const conditions =
        'package claimgate.conditions\n\nrequired := {"x": "X."}\n\nmet contains "x" if input.claims.ref == "x"\n'
      const wrong = conditions.replace('if input', 'input')

      const refused = await plan([wanted('a', {}, {}, { conditions: wrong })])
      await setUp(wanted('a', {}, {}, { conditions }), wanted('b'))
      const [change] = await changesOf([wanted('a'), wanted('b')])
      const applied = await apply(change === undefined ? [] : [change])

      assertProblem(refused, 400, 3, /conditions\.rego/)
      assert.equal(refused.json.details[0].problems[0].problems[0].file, 'conditions.rego')
      assert.equal(change?.action, 'UPDATE')
      assert.equal(
        Object.hasOwn(applied.json.workloadIdentities[0].workloadIdentityConfig, 'conditions'),
        false,
      )
    })

    test('with keep all others are deleted, those of projects too, and without it none', async () => {
      await setUp(wanted('a'), wanted('b'), { ...wanted('c'), project: 'web' })

      const without = await changesOf([wanted('a')])
      const pruned = await apply(await changesOf([wanted('a')], true))

      assert.deepEqual(without, [])
      assert.deepEqual(pruned.json, { workloadIdentities: [], deleted: [emailOf('b'), emailOf('c', 'web')] })
      assert.deepEqual(
        (await living()).map(({ email }) => email),
        [emailOf('a')],
      )
    })

    describe('all or nothing: of several changes none is made where', () => {
      const three = async () => {
        await setUp(wanted('a'), wanted('b'))
        return changesOf([wanted('a', { title: 'New' }), wanted('b', { title: 'New' }), wanted('n')])
      }

      for (const [reason, meanwhile, stale] of [
        [
          'one was changed meanwhile',
          () => world.admin('PATCH', `/v1/workloadIdentities/${emailOf('b')}`, { title: 'Other' }),
          'b',
        ],
        [
          'one was deleted meanwhile',
          () => world.admin('DELETE', `/v1/workloadIdentities/${emailOf('a')}`),
          'a',
        ],
        [
          'one was created meanwhile',
          () => world.admin('POST', `${IDENTITIES}?workloadIdentityId=n`, wanted('n').workloadIdentity),
          'n',
        ],
      ] as const) {
        test(reason, async () => {
          const changes = await three()
          await meanwhile()

          const answer = await changesNothing(() => apply(changes))

          assertProblem(
            answer,
            409,
            10,
            new RegExp(`not what the change was planned for: ${emailOf(stale)}\\. Plan again`),
          )
          assert.deepEqual(answer.json.details, [{ stale: [emailOf(stale)] }])
        })
      }

      test('one that is changed or deleted has no etag', async () => {
        const changes = (await three()).map(({ etag: _, ...change }) => change)

        const answer = await changesNothing(() => apply(changes))

        assert.deepEqual(answer.json.details, [{ stale: [emailOf('a'), emailOf('b')] }])
      })

      test('some are wrong, each of which is named', async () => {
        const changes = await three()
        const wrong = changes.map((change, index) =>
          index === 0
            ? change
            : { ...change, after: wanted('x', {}, { roles: ['roles/none'] }).workloadIdentity },
        )

        const answer = await changesNothing(() => apply(wrong))

        assertProblem(answer, 400, 3, /roles\/none.*and 1 more problem/)
        assert.deepEqual(
          answer.json.details[0].problems.map(({ index, email, field }: Record<string, unknown>) => [
            index,
            email,
            field,
          ]),
          [
            [1, emailOf('b'), 'workloadIdentityConfig.rules[0].roles[0]'],
            [2, emailOf('n'), 'workloadIdentityConfig.rules[0].roles[0]'],
          ],
        )
      })

      test('one stands among them twice', async () => {
        const changes = await three()

        const answer = await changesNothing(() => apply([...changes, ...changes]))

        assertProblem(answer, 400, 3, /stands? among the changes twice/)
      })

      test('one gives a role that the caller does not hold', async () => {
        const email = await world.createIdentity([rule({ roles: ['roles/policyAuthor'] })])
        const { accessToken } = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email))
          .json
        const changes = await changesOf([wanted('a'), wanted('b', {}, { roles: ['roles/workspaceAdmin'] })])

        const answer = await changesNothing(() =>
          world.request('POST', APPLY, {
            body: toApply(changes),
            headers: { authorization: `Bearer ${accessToken}` },
          }),
        )

        assertProblem(answer, 403, 7, /roles\/workspaceAdmin gives permissions/)
      })

      test('an identity that gives a role that the caller does not hold would be deleted', async () => {
        const email = await world.createIdentity([rule({ roles: ['roles/policyAuthor'] })])
        await setUp(wanted('root', {}, { roles: ['roles/workspaceAdmin'] }))
        const { accessToken } = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email))
          .json
        const changes = await changesOf([wanted('a')], true)

        const answer = await changesNothing(() =>
          world.request('POST', APPLY, {
            body: toApply(changes),
            headers: { authorization: `Bearer ${accessToken}` },
          }),
        )

        assertProblem(answer, 403, 7, /roles\/workspaceAdmin gives permissions/)
      })

      test('the database fails in their midst', {
        skip: kind === 'embedded' && 'its tables are not reached from here',
      }, async () => {
        const changes = await three()
        const url = world.databaseUrl ?? ''
        await runSql(
          url,
          `create function fail() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
           create trigger fail before insert on workload_identities for each row when (new.email like 'n@%') execute function fail()`,
        )

        const answer = await changesNothing(() => apply(changes))

        await runSql(url, 'drop trigger fail on workload_identities; drop function fail')
        assert.equal(answer.status, 500)
        assert.equal((await apply(changes)).status, 200)
      })
    })

    describe('a plan is refused with all that is wrong, where', () => {
      for (const [reason, entries, told] of [
        ['a project is not there', () => [{ ...wanted('a'), project: 'none' }], /There is no such project/],
        [
          'an email is of another domain',
          () => [{ workloadIdentity: { ...wanted('a').workloadIdentity, email: 'a@other.example' } }],
          /must end with @workload\.example\.com/,
        ],
        [
          'neither id nor email is given',
          () => [{ workloadIdentity: wanted('a').workloadIdentity }],
          /must end with @workload\.example\.com/,
        ],
        ['one stands in it twice', () => [wanted('a'), wanted('a')], /among them already/],
        [
          'an issuer may not be one',
          () => [wanted('a', {}, {}, { issuerUrl: 'http://evil.example' })],
          /issuerUrl/,
        ],
      ] as const) {
        test(reason, async () => {
          const answer = await plan(entries())

          assertProblem(answer, 400, 3, told)
          assert.equal(answer.json.details[0].problems.length, 1)
        })
      }
    })

    test('a new issuer that several bring is registered once, and two that are alike under two ids', async () => {
      const of = (id: string, issuerUrl: string) => wanted(id, {}, {}, { issuerUrl })

      const applied = await apply(
        await changesOf([
          of('a', 'https://git.example.com/x'),
          of('b', 'https://git.example.com/x'),
          of('c', 'https://git.example.com-x'),
        ]),
      )

      assert.equal(applied.status, 200, applied.text)
      const { issuers } = (await world.admin('GET', '/v1/issuers?pageSize=100')).json
      const ours = issuers.filter(({ issuerUrl }: { issuerUrl: string }) =>
        /git\.example\.com/.test(issuerUrl),
      )
      // Which of the two comes first, and has the shorter id, is nobody's promise.
      assert.deepEqual(ours.map(({ name }: { name: string }) => name).sort(), [
        'issuers/git-example-com-x',
        'issuers/git-example-com-x-2',
      ])
      assert.deepEqual(ours.map(({ issuerUrl }: { issuerUrl: string }) => issuerUrl).sort(), [
        'https://git.example.com-x',
        'https://git.example.com/x',
      ])
    })

    test('of two applies of one plan at once, one is made', async () => {
      const changes = await changesOf([wanted('a'), wanted('b')])

      const answers = await Promise.all([apply(changes), apply(changes)])

      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    })
  })
}
