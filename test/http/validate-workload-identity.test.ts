import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { breakPolicy } from '../support/break-policy.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, runSql, startWorld, type World } from '../support/world.ts'

const VALIDATE = '/v1/workloadIdentities:validate'
const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const TESTS = [
  { title: 'A push to main', claims: gitlabClaims('18.4'), expect: 'ALLOWED' },
  { title: 'A push to dev', claims: gitlabClaims('18.4', { ref: 'dev' }), expect: 'DENIED' },
]

for (const kind of ONE_DATABASE) {
  describe(`validating an identity on ${kind}`, () => {
    let world: World
    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const body = (config: object = {}, more: object = {}) =>
      identityBody(world.gitlab.issuerUrl, config, more)
    const validate = (sent: unknown) => world.admin('POST', VALIDATE, sent)

    test('says what a save would, and saves nothing', async () => {
      const stored = async () =>
        kind === 'postgresql' &&
        (await runSql(
          world.databaseUrl ?? '',
          'select (select count(*) from workload_identities), (select count(*) from issuers) issuers, (select count(*) from policies) policies',
        ))
      const before = await stored()

      const answer = await validate(body({}, { tests: TESTS }))

      assert.equal(answer.status, 200, answer.text)
      const { problems, findings, tests, notices } = answer.json
      assert.deepEqual(problems, [])
      assert.deepEqual(
        tests.map(({ title, passed, actual }: Record<string, unknown>) => [title, passed, actual]),
        [
          ['A push to main', true, { outcome: 'ALLOWED', reason: 'allowed' }],
          ['A push to dev', true, { outcome: 'DENIED', reason: 'condition_not_met' }],
        ],
      )
      assert.ok(notices.some((notice: string) => /is now registered as/.test(notice)))
      assert.deepEqual(await stored(), before)
      const created = await world.admin(
        'POST',
        '/v1/workspaces/default/workloadIdentities?workloadIdentityId=same',
        body(),
      )
      assert.deepEqual(findings, created.json.findings)
    })

    const PROBLEMS: readonly (readonly [name: string, sent: () => unknown, field: string, says: RegExp])[] = [
      [
        'a pattern that no ref can have',
        () => body({ rules: [{ ...RULE, refs: [{ type: 'BRANCH', pattern: '**' }] }] }),
        'workloadIdentityConfig.rules[0].refs[0].pattern',
        /leave refs empty/,
      ],
      [
        'merge requests beside refs',
        () => body({ rules: [{ ...RULE, mergeRequests: 'SAME_PROJECT' }] }),
        'workloadIdentityConfig.rules[0].mergeRequests',
        /write two rules/,
      ],
      [
        'a role that there is not',
        () => body({ rules: [{ ...RULE, roles: ['roles/x'] }] }),
        'workloadIdentityConfig.rules[0].roles[0]',
        /is not a role/,
      ],
      [
        'an issuer that may not be one',
        () => body({ issuerUrl: 'http://gitlab.example.com' }),
        'workloadIdentityConfig.issuerUrl',
        /https/,
      ],
      [
        'a test named like another',
        () => body({}, { tests: [TESTS[0], TESTS[0]] }),
        'tests[1].title',
        /is the title of tests\[0\]/,
      ],
      [
        'a name of another domain',
        () => body({}, { name: 'workloadIdentities/a@example.org' }),
        'name',
        /ID@workload/,
      ],
      ['an email that is none', () => body({}, { email: 'a' }), 'email', /must be ID@workload/],
      ['a name that is none', () => body({}, { name: 'a' }), 'name', /workloadIdentities\/ID@/],
      [
        'a name in a project that there is not',
        () => body({}, { name: `workloadIdentities/a@web.${IDENTITY_DOMAIN}` }),
        'name',
        /projects\/web/,
      ],
    ]
    for (const [name, sent, field, says] of PROBLEMS) {
      test(`tells of ${name} as a problem, with its field`, async () => {
        const answer = await validate(sent())

        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.json.problems.length, 1, answer.text)
        const [problem] = answer.json.problems
        assert.equal(problem.code, 'invalid_field')
        assert.equal(problem.field, field)
        assert.match(problem.message, says)
        assert.ok(problem.message.startsWith(field), problem.message)
      })
    }

    test('tells of a policy that is too large with its place, and of findings all the same', async () => {
      const values = Array.from({ length: 30 }, (_, n) => `${n}-${'x'.repeat(1000)}`)
      const rules = Array.from({ length: 10 }, (_, n) => ({
        ...RULE,
        group: `g${n}`,
        claims: { sha: values },
      }))

      const answer = await validate(body({ rules }, { tests: TESTS }))

      const [problem] = answer.json.problems
      assert.equal(answer.json.problems.length, 1, answer.text)
      assert.equal(problem.code, 'policy_too_large')
      assert.ok(problem.row >= 1 && problem.column >= 1)
      assert.deepEqual(answer.json.tests, [])
      assert.ok(answer.json.findings.length > 0)
    })

    test('tells of what takes the compiler too long with its file, and keeps no save waiting for long', async () => {
      const doubled = Array.from({ length: 24 }, (_, n) => `x${n + 1} := {"a": x${n}, "b": x${n}}`)
      const bomb = (code: string) =>
        [
          'package claimgate.conditions',
          `required := {"${code}": "Never."}`,
          'x0 := {"a": input.claims.ref}',
          ...doubled,
          `met contains "${code}" if x24.a == input.claims.ref`,
        ].join('\n')

      const bombs = ['a', 'b', 'c'].map((code) => validate(body({ rules: [RULE], conditions: bomb(code) })))
      const save = world.createIdentity([{ ...RULE, project: 'saved-meanwhile' }])

      assert.match(await save, /@/)
      const [first] = await Promise.all(bombs)
      assert.equal(first?.status, 200, first?.text)
      const [problem] = first?.json.problems ?? []
      assert.deepEqual([problem.code, problem.file], ['policy_compile_timeout', 'conditions.rego'])
    })

    test('refuses what is no body of an identity, as every call does', async () => {
      assertProblem(await validate({}), 400, 3, /^workloadIdentityConfig is required/)
      assertProblem(
        await validate(body({}, { titel: 'x' })),
        400,
        3,
        /^titel is not a field: the nearest is title/,
      )
      assertProblem(await validate(body({}, { title: 7 })), 400, 3, /^title must be a string/)
      assertProblem(await validate(body({}, { name: 7 })), 400, 3, /^name must be a string/)
      assertProblem(await validate([]), 400, 3, /must be a JSON object/)
      assertProblem(
        await world.admin('POST', `${VALIDATE}?validateOnly=true`, body()),
        400,
        3,
        /validateOnly/,
      )
    })

    test('tells of tests that fail, which are no problem of the policy', async () => {
      const answer = await validate(body({}, { tests: [{ ...TESTS[1], expect: 'ALLOWED' }, TESTS[0]] }))

      const [failed, passed] = answer.json.tests
      assert.deepEqual(answer.json.problems, [])
      assert.equal(failed.passed, false)
      assert.match(failed.message, /'A push to dev' expects ALLOWED/)
      assert.equal(failed.verdict.rules[0].conditions.ref.met, false)
      assert.equal(passed.passed, true)
      assert.ok(!('verdict' in passed))
    })

    test('with a name validates a change of that identity, of the fields that are given', async () => {
      const email = await world.createIdentity([RULE], { identity: { tests: TESTS } })
      const name = `workloadIdentities/${email}`
      const before = (await world.admin('GET', `/v1/${name}`)).json

      const whole = await validate({ ...before, etag: '1' })
      const disabled = await validate({ name, state: 'DISABLED' })
      const narrower = await validate({
        name,
        workloadIdentityConfig: { rules: [{ ...RULE, project: 'other' }] },
      })
      const wrong = await validate({ name, workloadIdentityConfig: { rules: [{ ...RULE, group: '*' }] } })

      assert.equal(whole.status, 200, whole.text)
      assert.deepEqual(whole.json.problems, [])
      assert.equal(whole.json.tests.length, 2)
      assert.deepEqual(disabled.json.problems, [])
      assert.deepEqual(
        narrower.json.tests.map(({ passed }: { passed: boolean }) => passed),
        [false, true],
      )
      assert.equal(wrong.json.problems[0].field, 'workloadIdentityConfig.rules[0].group')
      assertProblem(await validate({ name }), 400, 3, /no field that can be changed/)
      assert.deepEqual((await world.admin('GET', `/v1/${name}`)).json, before)
    })

    test('with the name of one that there is not yet, or that is deleted, validates a create of it', async () => {
      const email = await world.createIdentity([RULE])
      await world.admin('DELETE', `/v1/workloadIdentities/${email}`)

      const again = await validate(body({}, { name: `workloadIdentities/${email}` }))
      const first = await validate(body({}, { email: `first@${IDENTITY_DOMAIN}` }))
      const other = await validate(
        body({}, { name: `workloadIdentities/a@${IDENTITY_DOMAIN}`, email: `b@${IDENTITY_DOMAIN}` }),
      )

      assert.deepEqual(again.json.problems, [])
      assert.deepEqual(first.json.problems, [])
      assert.equal(other.json.problems[0].field, 'email')
    })

    test('of an identity of a project finds what it may in that project', async () => {
      await world.admin('POST', '/v1/projects?projectId=found', { title: 'Web' })
      const rules = [{ group: 'acme', roles: ['roles/gitopsServiceAgent'] }]

      const answer = await validate(
        body({ rules }, { name: `workloadIdentities/a@found.${IDENTITY_DOMAIN}` }),
      )

      const codes = answer.json.findings.map(({ code }: { code: string }) => code)
      assert.deepEqual(answer.json.problems, [])
      assert.ok(codes.includes('merge_request_membership'))
    })
  })

  describe(`evaluating claims on ${kind}`, () => {
    let world: World
    let email: string
    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const evaluate = (sent: unknown, of = email) =>
      world.admin('POST', `/v1/workloadIdentities/${of}:evaluate`, sent)

    test('answers the verdict that an exchange with them records, and records nothing', async () => {
      const rows = [
        {},
        { ref: 'dev' },
        { namespace_path: 'mallory' },
        { ref_protected: true },
        { project_id: ['20'] },
      ]
      for (const [index, changes] of rows.entries()) {
        const claims = gitlabClaims('18.4', changes)

        const answer = await evaluate({ claims })
        const recorded = (await world.decisions(email)).length
        await world.exchange(world.gitlab.signToken(claims), email)

        assert.equal(answer.status, 200, answer.text)
        assert.equal(recorded, index)
        assert.deepEqual(Object.keys(answer.json), ['verdict'])
        assert.deepEqual(answer.json.verdict, (await world.lastDecision(email)).verdict)
      }
    })

    test('takes claims of every type, and none', async () => {
      for (const claims of [{}, { a: null, b: [1, { c: 'x' }], ref: 7, '': '\\ \n' }, gitlabClaims('15.7')]) {
        const answer = await evaluate({ claims })

        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.json.verdict.rules[0].conditions.fork !== undefined, true)
      }
    })

    test('refuses claims that would not be kept as they are, by name, as stored tests do', async () => {
      const path = `/v1/workloadIdentities/${await world.createIdentity([RULE])}:evaluate`
      const send = (claims: string) =>
        world.request('POST', path, {
          raw: `{"claims": ${claims}}`,
          headers: { authorization: `Bearer ${world.adminToken}` },
        })

      for (const [claims, message] of [
        ['{"a":{"__proto__":1}}', 'claims.a.__proto__ is no name of a claim.'],
        ['{"__proto__":1}', 'claims.__proto__ is no name of a claim.'],
        ['{"a":[1,1e999]}', 'claims.a[1] is a number that is too large.'],
      ] as const) {
        assertProblem(await send(claims), 400, 3, message)
      }
    })

    test('of a personal claim sees it only where it is recorded', async () => {
      const of = await world.createIdentity([{ ...RULE, claims: { user_login: ['sample-user'] } }])

      const before = await evaluate({ claims: gitlabClaims('18.4') }, of)
      await world.admin('PATCH', `/v1/workloadIdentities/${of}`, { recordedClaims: ['user_login'] })
      const after = await evaluate({ claims: gitlabClaims('18.4') }, of)

      assert.equal(before.json.verdict.allow, false)
      assert.equal(after.json.verdict.allow, true)
    })

    test('of an identity that is disabled or deleted says what its policy says', async () => {
      const of = await world.createIdentity([RULE])
      await world.admin('PATCH', `/v1/workloadIdentities/${of}`, { state: 'DISABLED' })
      const disabled = await evaluate({ claims: gitlabClaims('18.4') }, of)
      await world.admin('DELETE', `/v1/workloadIdentities/${of}`)
      const deleted = await evaluate({ claims: gitlabClaims('18.4') }, of)

      assert.equal(disabled.json.verdict.allow, true)
      assert.deepEqual(deleted.json, disabled.json)
    })

    test('of a policy that fails is refused with the reason that an exchange would have', async () => {
      if (kind === 'embedded') return
      const broken = await world.createIdentity([RULE])
      await breakPolicy(world, broken)
      const tests = { tests: [TESTS[0]] }

      const answer = await evaluate({ claims: {} }, broken)
      const tested = await world.admin('PATCH', `/v1/workloadIdentities/${broken}`, tests)

      assertProblem(answer, 400, 9, /\(policy_error\)/)
      assertProblem(tested, 400, 3, /expects ALLOWED, but an exchange would be FAILED \(policy_error\)/)
      assert.equal(tested.json.details[0].tests[0].verdict, null)
    })

    test('is refused for an identity that there is not, and for what are no claims', async () => {
      assertProblem(
        await evaluate({ claims: {} }, `nobody@${IDENTITY_DOMAIN}`),
        404,
        5,
        /no such workload identity/,
      )
      assertProblem(await evaluate({}), 400, 3, /^claims is required/)
      assertProblem(await evaluate({ claims: [] }), 400, 3, /^claims must be an object/)
      assertProblem(await evaluate({ claims: 'x.y.z' }), 400, 3, /^claims must be an object/)
      assertProblem(await evaluate({ claims: {}, token: 'x' }), 400, 3, /^token is not a field/)
      assertProblem(await evaluate({ claims: { a: 'x'.repeat(40_000) } }), 413, 3, /32 KiB/)
    })
  })
}
