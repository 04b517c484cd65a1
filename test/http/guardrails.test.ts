import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertEchoable, assertProblem, verdictOf } from '../support/answers.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { type Answer, DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }
const SOURCE = [
  'package claimgate.guardrails',
  '',
  'required := {"hosted_runner": "Only hosted runners may be used."}',
  '',
  'met contains "hosted_runner" if input.claims.runner_environment == "gitlab-hosted"',
  '',
].join('\n')
const TESTS = [
  { title: 'Hosted', claims: { runner_environment: 'gitlab-hosted' }, expect: 'ALLOWED', reason: 'allowed' },
  { title: 'None', claims: {}, expect: 'DENIED' },
  {
    title: 'Own',
    claims: { runner_environment: 'self-hosted' },
    provider: 'GITLAB',
    expect: 'DENIED',
    reason: 'hosted_runner',
  },
  {
    title: 'Own, by its reason',
    claims: { runner_environment: 'self-hosted' },
    expect: 'DENIED',
    reason: 'denied_by_guardrails',
  },
]
const SELF_HOSTED = { runner_environment: 'self-hosted' }

for (const kind of DATABASES) {
  describe(`guardrails on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    const put = (body: object, headers: Record<string, string> = {}) =>
      world.request('PUT', '/v1/guardrails', {
        body,
        headers: { authorization: `Bearer ${world.adminToken}`, ...headers },
      })
    const get = (path = '') => world.admin('GET', `/v1/guardrails${path}`)
    const remove = () => put({ source: '' })

    test('are none at first, and then what was put', async () => {
      const none = await get()
      const saved = await put({ source: SOURCE, tests: TESTS })
      const read = await get()

      assert.deepEqual([none.json.source, none.json.tests, none.json.digest], ['', [], null])
      assert.equal(saved.status, 200, saved.text)
      assert.deepEqual(read.json, saved.json)
      assert.equal(read.json.source, SOURCE)
      assert.deepEqual(read.json.tests, TESTS)
      assert.match(read.json.digest, /^sha256:[0-9a-f]{64}$/)
      assert.notEqual(read.json.etag, none.json.etag)
      assert.equal(read.headers.get('etag'), `"${read.json.etag}"`)
    })

    test('take away from every identity, and say so inside the group', async () => {
      await remove()
      const emails = [await world.createIdentity([RULE]), await world.createIdentity([{ group: 'acme' }])]
      for (const email of emails) assert.equal((await world.exchange(sign(SELF_HOSTED), email)).status, 200)

      const { json: saved } = await put({ source: SOURCE })

      for (const email of emails) {
        const denied = await world.exchange(sign(SELF_HOSTED), email)
        assertProblem(denied, 403, 7, /guardrail 'hosted_runner' is not met: Only hosted runners may be used/)
        assertEchoable(denied)
        assert.equal(denied.json.details[0].reason, 'denied_by_guardrails')
        assert.deepEqual(denied.json.details[0].guardrails, [
          { code: 'hosted_runner', message: 'Only hosted runners may be used.', met: false },
        ])
        const decision = await world.lastDecision(email)
        assert.equal(decision.guardrailsDigest, saved.digest)
        assert.deepEqual([decision.outcome, decision.reason], ['DENIED', 'denied_by_guardrails'])
        assert.deepEqual(verdictOf(decision).roles, [])
      }
      const allowed = await world.exchange(sign(), emails[0] ?? '')
      assert.equal(allowed.status, 200)
      const decision = await world.lastDecision(emails[0] ?? '')
      assert.deepEqual(verdictOf(decision).guardrails, [
        { code: 'hosted_runner', message: 'Only hosted runners may be used.', met: true },
      ])
      assert.deepEqual(verdictOf(decision).roles, ['roles/gitopsServiceAgent'])
    })

    test('come last of the three, and are told beside the others', async () => {
      await put({ source: SOURCE })
      const conditions =
        'package claimgate.conditions\nrequired := {"main": "Main."}\nmet contains "main" if input.claims.ref == "main"\n'
      const email = await world.createIdentity([RULE], { config: { conditions } })
      const reasonOf = async (claims: Claims) => {
        const { json } = await world.exchange(sign({ ...SELF_HOSTED, ...claims }), email)
        return [json.details[0].reason, json.message.includes('guardrail')]
      }

      assert.deepEqual(await reasonOf({ project_path: 'acme/other', ref: 'x' }), ['condition_not_met', true])
      assert.deepEqual(await reasonOf({ ref: 'x' }), ['denied_by_conditions', true])
      assert.deepEqual(await reasonOf({}), ['denied_by_guardrails', true])
    })

    test('hold for the next exchange on every instance, set, changed or removed', async () => {
      await remove()
      const other = kind === 'postgresql' ? await world.startInstance() : world.app
      const email = await world.createIdentity([RULE])
      const statuses = async () => {
        const answers = [world.app, other].map(({ url }) =>
          world.request('POST', '/v1/auth:exchangeToken', { url, body: { token: sign(SELF_HOSTED), email } }),
        )
        return (await Promise.all(answers)).map(({ status }) => status)
      }
      assert.deepEqual(await statuses(), [200, 200])

      await put({ source: SOURCE })
      assert.deepEqual(await statuses(), [403, 403])
      await put({ source: SOURCE.replace('gitlab-hosted', 'self-hosted') })
      assert.deepEqual(await statuses(), [200, 200])
      await put({ source: SOURCE })
      assert.deepEqual(await statuses(), [403, 403])
      await remove()
      assert.deepEqual(await statuses(), [200, 200])
      assert.equal((await world.lastDecision(email)).guardrailsDigest, null)
    })

    test('are explained', async () => {
      await put({ source: SOURCE })
      const email = await world.createIdentity([RULE])

      const { json } = await world.request('POST', '/v1/auth:explainToken', {
        body: { token: sign(SELF_HOSTED), email },
      })

      assert.deepEqual([json.outcome, json.reason], ['DENIED', 'denied_by_guardrails'])
      assert.equal(json.guardrails[0].met, false)
      assert.match(json.message, /Only hosted runners/)
    })

    test('tell nobody outside of the group', async () => {
      const email = await world.createIdentity([{ ...RULE, group: 'others' }])
      const emails = [email, `nobody@${IDENTITY_DOMAIN}`]
      const answers: Answer[] = []
      for (const change of [remove, () => put({ source: SOURCE })]) {
        await change()
        for (const each of emails) answers.push(await world.exchange(sign(SELF_HOSTED), each))
      }

      const bytes = answers.map(({ text }) => text.replace(/[0-9a-f-]{36}/g, 'ID'))
      assert.equal(new Set(bytes).size, 1, bytes.join('\n'))
      assert.equal((await world.lastDecision(email)).reason, 'condition_not_met')
    })

    test('that fail when they judge are a failure, to the caller as to a stranger', async () => {
      const conflict = `${SOURCE}which := 1 if is_string(input.claims.ref)\nwhich := 2 if input.claims.ref == "main"\nmet contains "hosted_runner" if which == 3\n`
      assert.equal((await put({ source: conflict })).status, 200)
      const email = await world.createIdentity([RULE])

      const answer = await world.exchange(sign(), email)

      assertProblem(answer, 401, 16, 'Token exchange denied.')
      const decision = await world.lastDecision(email)
      assert.deepEqual(
        [decision.outcome, decision.reason, decision.verdict],
        ['FAILED', 'policy_error', null],
      )
      await remove()
    })

    test('with problems are refused with their places, and nothing changes', async () => {
      const before = await get()

      const answer = await put({
        source: SOURCE.replace('input.claims.runner_environment ==', 'input.claims.runner_enviroment =='),
      })

      assertProblem(
        answer,
        400,
        3,
        /^source .*guardrails\.rego:5:33: undefined ref: \S+\. Did you mean runner_environment\?$/,
      )
      const [problem] = answer.json.details[0].problems
      assert.deepEqual([problem.file, problem.row, problem.column], ['guardrails.rego', 5, 33])
      assert.match(problem.hint, /Did you mean runner_environment/)
      assert.deepEqual((await get()).json, before.json)
    })

    test('that fail a test are refused, with what was expected and what came', async () => {
      const before = await get()
      const wrong = [
        { title: 'Lets all in', claims: SELF_HOSTED, expect: 'ALLOWED' },
        { title: 'For a reason of its own', claims: {}, expect: 'DENIED', reason: 'other_code' },
      ]

      const answer = await put({ source: SOURCE, tests: [...TESTS, ...wrong] })

      assertProblem(
        answer,
        400,
        3,
        /^tests: 2 tests fail\. Test 'Lets all in' expects ALLOWED, but the guardrails say DENIED: guardrail 'hosted_runner' is not met/,
      )
      assert.deepEqual(
        answer.json.details[0].tests.map(({ title, actual }: Record<string, unknown>) => [title, actual]),
        wrong.map(({ title }) => [title, { outcome: 'DENIED', reason: 'denied_by_guardrails' }]),
      )
      assert.deepEqual((await get()).json, before.json)
    })

    test('are decided at their time, else when their token was issued, else at the moment of the run', async () => {
      const from2027 = (seconds: number) => `package claimgate.guardrails

required := {"later": "Not before 2027."}

met contains "later" if input.time >= ${seconds}
`
      const begin = Date.UTC(2027, 0, 1) / 1000
      const claims = {}
      const tests = [
        {
          title: 'A time',
          claims: { ...claims, iat: begin - 1 },
          time: '2027-01-01T01:00:00+01:00',
          expect: 'ALLOWED',
        },
        { title: 'A second before', claims, time: '2026-12-31T23:59:59.999Z', expect: 'DENIED' },
        { title: 'Issued', claims: { ...claims, iat: begin }, expect: 'ALLOWED' },
      ]
      const now = { title: 'Now', claims, expect: 'ALLOWED' }

      const timed = await put({ source: from2027(begin), tests })
      const tooEarly = await put({ source: from2027(begin), tests: [now] })
      const passed = await put({ source: from2027(world.clock() / 1000), tests: [now] })
      const noTime = await put({ source: SOURCE, tests: [{ ...now, time: '2027-02-29T00:00:00Z' }] })

      assert.equal(timed.status, 200, timed.text)
      assert.deepEqual(timed.json.tests, tests)
      assertProblem(tooEarly, 400, 3, /Test 'Now' expects ALLOWED/)
      assert.equal(passed.status, 200, passed.text)
      assertProblem(noTime, 400, 3, /tests\[0\]\.time must be a time as in/)
    })

    test('stand beside an identity’s policy in its tests, as in an exchange', async () => {
      await put({ source: SOURCE })
      const own = { title: 'Own', claims: gitlabClaims('18.4', SELF_HOSTED), expect: 'DENIED' }
      const tests = [{ ...own, reason: 'denied_by_guardrails' }]

      const email = await world.createIdentity([RULE], { identity: { tests } })
      const unmet = await world.admin('POST', '/v1/workloadIdentities:validate', {
        ...identityBody(world.gitlab.issuerUrl, { rules: [{ ...RULE, project: 'web' }] }),
        tests: [{ ...own, expect: 'ALLOWED' }],
      })

      assert.deepEqual((await world.admin('GET', `/v1/workloadIdentities/${email}`)).json.tests, tests)
      assert.deepEqual(unmet.json.tests[0].actual, { outcome: 'DENIED', reason: 'condition_not_met' })
      assert.match(
        unmet.json.tests[0].message,
        /rule 'deploy': project is not met .*; guardrail 'hosted_runner' is not met/,
      )
    })

    test('that came after an identity’s tests are named by the refusal of its next save', async () => {
      await remove()
      const claims = gitlabClaims('18.4', SELF_HOSTED)
      const email = await world.createIdentity([RULE], {
        identity: { tests: [{ title: 'Own', claims, expect: 'ALLOWED' }] },
      })
      await put({ source: SOURCE })

      const refused = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { title: 'Deploy' })
      const disabled = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { state: 'DISABLED' })
      await remove()
      const saved = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { title: 'Deploy' })

      assertProblem(
        refused,
        400,
        3,
        "tests: a test fails. Test 'Own' expects ALLOWED, but an exchange would be DENIED (denied_by_guardrails): guardrail 'hosted_runner' is not met.",
      )
      assert.deepEqual([disabled.status, saved.status], [200, 200])
    })

    test('a body that is none names its field', async () => {
      const cases: readonly (readonly [body: object, message: RegExp])[] = [
        [{}, /^source is required/],
        [{ source: 1 }, /^source must be a string/],
        [{ source: SOURCE, test: [] }, /^test is not a field: the nearest is tests/],
        [{ source: SOURCE, tests: [{ ...TESTS[0], expect: 'YES' }] }, /^tests\[0\]\.expect must be/],
        [{ source: SOURCE, tests: [{ ...TESTS[0], claims: [] }] }, /^tests\[0\]\.claims must be an object/],
        [{ source: SOURCE, tests: [{ ...TESTS[0], title: '' }] }, /^tests\[0\]\.title/],
        [{ source: SOURCE, tests: [{ ...TESTS[0], provider: 'X' }] }, /^tests\[0\]\.provider/],
      ]
      for (const [body, message] of cases) assertProblem(await put(body), 400, 3, message)
    })

    test('are changed only as they were read, where an etag is given', async () => {
      const { json: read } = await put({ source: SOURCE })
      const next = await put({ ...read, tests: TESTS }, { 'if-match': `"${read.etag}"` })

      const stale = await put({ source: '' }, { 'if-match': `"${read.etag}"` })
      const staleBody = await put({ ...read, source: '' })

      assert.equal(next.status, 200, next.text)
      assertProblem(stale, 409, 10, /etag/)
      assertProblem(staleBody, 409, 10, /etag/)
      assert.equal((await get()).json.source, SOURCE)
    })

    test('keep every version, in pages from the newest on', async () => {
      await put({ source: SOURCE, tests: TESTS })
      await remove()

      const first = await get('/versions?pageSize=2')
      const second = await get(`/versions?pageSize=2&pageToken=${first.json.nextPageToken}`)

      const [removed, saved] = first.json.versions
      assert.deepEqual([removed.source, removed.digest, removed.tests], ['', null, []])
      assert.deepEqual([saved.source, saved.tests], [SOURCE, TESTS])
      assert.equal(saved.author, 'adminTokens/first')
      assert.equal(removed.version, saved.version + 1)
      assert.equal(second.json.versions[0].version, saved.version - 1)
      const one = await get(`/versions/${saved.version}`)
      assert.deepEqual(one.json, saved)
      assert.equal(one.json.name, `guardrails/versions/${saved.version}`)
      for (const none of ['0', 'x', '1.0', '4000000', '99999999999999'])
        assertProblem(await get(`/versions/${none}`), 404, 5, /no such policy version/)
    })

    test('say of each version why it was saved', async () => {
      await world.admin('PUT', '/v1/guardrails?reason=Hosted%20runners%20only', { source: SOURCE })
      await remove()

      const [removed, saved] = (await get('/versions')).json.versions
      const tooLong = await world.admin('PUT', `/v1/guardrails?reason=${'x'.repeat(501)}`, { source: '' })

      assert.deepEqual([saved.change, saved.reason], ['UPDATE', 'Hosted runners only'])
      assert.deepEqual([removed.change, removed.reason], ['UPDATE', null])
      assertProblem(tooLong, 400, 3, /reason must have at most 500/)
    })

    test('are gone back to in any version, as a save that says so', async () => {
      const saved = await put({ source: SOURCE, tests: TESTS })
      const [{ version }] = (await get('/versions')).json.versions
      await remove()
      const email = await world.createIdentity([RULE])
      assert.equal((await world.exchange(sign(SELF_HOSTED), email)).status, 200)
      const rollback = (number: unknown, headers: Record<string, string> = {}) =>
        world.request('POST', `/v1/guardrails/versions/${number}:rollback?reason=Too%20early`, {
          headers: { authorization: `Bearer ${world.adminToken}`, ...headers },
        })

      const stale = await rollback(version, { 'if-match': `"${saved.json.etag}"` })
      const back = await rollback(version)
      const denied = await world.exchange(sign(SELF_HOSTED), email)

      assertProblem(stale, 409, 10, /etag/)
      assert.equal(back.status, 200, back.text)
      const { failingTests: _, ...guardrails } = back.json
      assert.deepEqual((await get()).json, guardrails)
      assert.deepEqual(
        [back.json.source, back.json.tests, back.json.digest],
        [SOURCE, TESTS, saved.json.digest],
      )
      assert.equal(denied.status, 403)
      const [newest] = (await get('/versions')).json.versions
      assert.deepEqual(
        [newest.version, newest.change, newest.restoredVersion, newest.reason],
        [version + 2, 'ROLLBACK', version, 'Too early'],
      )
      // The one before was a removal.
      const removed = await rollback(version + 1)
      assert.deepEqual([removed.json.source, removed.json.digest], ['', null])
      for (const none of ['0', 'x', '4000000'])
        assertProblem(await rollback(none), 404, 5, /no such policy version/)
    })

    test('say of a save, and of a roll-back, how many of their stored tests it removes', async () => {
      await put({ source: SOURCE, tests: TESTS })
      const renamed = { ...TESTS[1], title: 'Nobody' }

      const kept = await put({ source: `${SOURCE}# The same.\n`, tests: TESTS })
      const fewer = await put({ source: SOURCE, tests: [TESTS[0], renamed] })
      const [{ version }] = (await get('/versions')).json.versions
      const none = await put({ source: SOURCE })
      const back = await world.admin('POST', `/v1/guardrails/versions/${version}:rollback`)
      const removed = await put({ ...back.json, source: '', notices: none.json.notices })

      assert.equal(Object.hasOwn(kept.json, 'notices'), false)
      assert.deepEqual(
        [fewer, none, removed].map(({ json }) => json.notices),
        [
          ['tests: 3 of 4 stored tests are removed, as a save replaces all of them'],
          ['tests: 2 of 2 stored tests are removed, as a save replaces all of them'],
          ['tests: 2 of 2 stored tests are removed, as a save replaces all of them'],
        ],
      )
      assert.equal(Object.hasOwn(back.json, 'notices'), false)
      assert.equal(Object.hasOwn((await get()).json, 'notices'), false)
    })

    test('are compared in their Rego and tests', async () => {
      await remove()
      await put({ source: SOURCE, tests: TESTS })
      const [{ version }] = (await get('/versions')).json.versions
      await put({ source: SOURCE.replace('gitlab-hosted', 'self-hosted') })

      const made = (await get(`/versions/${version}:diff`)).json
      const changed = (await get(`/versions/${version + 1}:diff`)).json
      const against = (await get(`/versions/${version}:diff?against=${version}`)).json

      assert.deepEqual([made.from, made.to], [version - 1, version])
      assert.deepEqual(made.fields, [{ path: 'tests', before: [], after: TESTS }])
      assert.match(made.modules[0].diff, /^--- \/dev\/null\n\+\+\+ b\/guardrails\.rego\n/)
      assert.deepEqual(changed.fields, [{ path: 'tests', before: TESTS, after: [] }])
      assert.match(changed.modules[0].diff, /^-met .*gitlab-hosted"\n\+met .*self-hosted"$/m)
      assert.deepEqual([against.fields, against.modules], [[], []])
      assertProblem(await get('/versions/4000000:diff'), 404, 5, /no such policy version/)
    })

    test('are an administrator’s alone', async () => {
      for (const [method, path] of [
        ['GET', '/v1/guardrails'],
        ['PUT', '/v1/guardrails'],
        ['GET', '/v1/guardrails/versions'],
        ['GET', '/v1/guardrails/versions/1'],
      ] as const) {
        const answer = await world.request(method, path, method === 'PUT' ? { body: { source: '' } } : {})
        assertProblem(answer, 401, 16, /./)
      }
    })
  })
}
