import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { githubClaims } from '../support/github-claims.ts'
import { gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'
import { ROWS as GITHUB_ROWS, RULES as GITHUB_RULES, type Row as GithubRow } from './github-claims-rows.ts'
import { ROWS, type Row, RULES } from './gitlab-claims-rows.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const MAIN = gitlabClaims('18.4')
const GOOD = { title: 'A push to main', claims: MAIN, expect: 'ALLOWED' }
const STRANGER = { title: 'A stranger', claims: { ...MAIN, namespace_path: 'mallory' }, expect: 'DENIED' }
const DEV = { ...MAIN, ref: 'dev', ref_path: 'refs/heads/dev' }

for (const kind of ONE_DATABASE) {
  describe(`tests stored with an identity on ${kind}`, () => {
    let world: World
    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    let count = 0
    const body = (tests: unknown, config: object = {}, more: object = {}) =>
      identityBody(world.gitlab.issuerUrl, config, { tests, ...more })
    const create = (identity: unknown, id = `tested-${++count}`) =>
      world.admin('POST', `${IDENTITIES}?workloadIdentityId=${id}`, identity)
    const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
    const get = async (email: string) => (await world.admin('GET', pathOf(email))).json

    test('are kept as they were given, and read back with it', async () => {
      const tests = [GOOD, { ...STRANGER, reason: 'condition_not_met' }]

      const created = await create(body(tests))

      assert.equal(created.status, 200, created.text)
      assert.deepEqual(created.json.tests, tests)
      assert.deepEqual((await get(created.json.email)).tests, tests)
      const listed = await world.admin('GET', `${IDENTITIES}?filter=email=="${created.json.email}"`)
      assert.deepEqual(listed.json.workloadIdentities[0].tests, tests)
    })

    test('are run before it is created: one that fails refuses it with what it expected and what would be', async () => {
      const wrong = { title: 'A push to dev', claims: DEV, expect: 'ALLOWED' }

      const refused = await create(body([GOOD, wrong, STRANGER]), 'refused')

      assertProblem(refused, 400, 3, /^tests: a test fails\. Test 'A push to dev' expects ALLOWED/)
      const [{ tests, ...rest }] = refused.json.details
      assert.deepEqual(rest, {})
      assert.equal(tests.length, 1)
      const [{ verdict, message, ...result }] = tests
      assert.deepEqual(result, {
        title: 'A push to dev',
        passed: false,
        expected: { outcome: 'ALLOWED' },
        actual: { outcome: 'DENIED', reason: 'condition_not_met' },
      })
      assert.equal(verdict.allow, false)
      assert.equal(verdict.rules[0].conditions.ref.met, false)
      assert.equal(verdict.rules[0].conditions.group.met, true)
      assert.match(
        message,
        /rule 'rule-1': ref is not met \(ref_path is "refs\/heads\/dev", expected branch 'main'\)/,
      )
      assertProblem(await world.admin('GET', pathOf(`refused@${IDENTITY_DOMAIN}`)), 404, 5, /./)
    })

    test('are run again where only they change, the policy being known', async () => {
      const email = (await create(body([GOOD]))).json.email
      const before = await get(email)

      const refused = await world.admin('PATCH', pathOf(email), { tests: [{ ...GOOD, expect: 'DENIED' }] })
      const accepted = await world.admin('PATCH', pathOf(email), { tests: [GOOD, STRANGER] })

      assertProblem(
        refused,
        400,
        3,
        /'A push to main' expects DENIED, but an exchange would be ALLOWED: rule 'rule-1' is met/,
      )
      assert.equal(accepted.status, 200, accepted.text)
      assert.equal(accepted.json.policyDigest, before.policyDigest)
      assert.deepEqual(accepted.json.tests, [GOOD, STRANGER])
    })

    test('are run where rules change, or audiences, or what is recorded, and nothing of that is then saved', async () => {
      const personal = {
        title: 'Jane',
        claims: { ...MAIN, iss: world.gitlab.issuerUrl, aud: 'urn:a', user_login: 'jane' },
        expect: 'ALLOWED',
      }
      const rule = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
      const config = { allowedAudiences: ['urn:a'], rules: [{ ...rule, claims: { user_login: ['jane'] } }] }
      const created = await create(body([personal], config, { recordedClaims: ['user_login'] }))
      assert.equal(created.status, 200, created.text)
      const before = await get(created.json.email)

      const changes: readonly (readonly [object, RegExp])[] = [
        [
          { workloadIdentityConfig: { rules: [{ ...rule, group: 'other' }] } },
          /DENIED \(condition_not_met\)/,
        ],
        [{ workloadIdentityConfig: { allowedAudiences: ['urn:b'] } }, /DENIED \(token_audience\)/],
        [{ workloadIdentityConfig: { issuerUrl: 'https://gitlab.com' } }, /DENIED \(identity_issuer\)/],
        [{ recordedClaims: [] }, /user_login is missing/],
      ]
      for (const [change, says] of changes) {
        const answer = await world.admin('PATCH', pathOf(created.json.email), change)
        assertProblem(answer, 400, 3, says)
        assert.deepEqual(await get(created.json.email), before)
      }
    })

    test('are decided at their time, else when their token was issued, else at the moment of the run', async () => {
      const from2027 = (seconds: number) => `package claimgate.conditions

required := {"later": "Not before 2027."}

met contains "later" if input.time >= ${seconds}
`
      const begin = Date.UTC(2027, 0, 1) / 1000
      const { iat: _, ...claims } = MAIN
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

      const timed = await create(body(tests, { conditions: from2027(begin) }))
      const tooEarly = await create(body([now], { conditions: from2027(begin) }))
      const passed = await create(body([now], { conditions: from2027(world.clock() / 1000) }))
      const noTime = await create(body([{ ...now, time: '2027-02-29T00:00:00Z' }]))

      assert.equal(timed.status, 200, timed.text)
      assert.deepEqual(timed.json.tests, tests)
      assertProblem(tooEarly, 400, 3, /Test 'Now' expects ALLOWED/)
      assert.equal(passed.status, 200, passed.text)
      assertProblem(noTime, 400, 3, /tests\[0\]\.time must be a time as in/)
    })

    test('do not keep an identity from being disabled or from coming back', async () => {
      const email = (await create(body([GOOD]))).json.email

      const disabled = await world.admin('PATCH', pathOf(email), { state: 'DISABLED' })
      await world.admin('DELETE', pathOf(email))
      const back = await world.admin('POST', `${pathOf(email)}:undelete`)

      assert.equal(disabled.json.state, 'DISABLED')
      assert.deepEqual(back.json.tests, [GOOD])
    })

    const EXPECTATIONS: readonly (readonly [name: string, test: object, passes: boolean])[] = [
      ['the reason as well', { claims: DEV, expect: 'DENIED', reason: 'condition_not_met' }, true],
      ['another reason', { claims: DEV, expect: 'DENIED', reason: 'token_audience' }, false],
      [
        'the reason of an audience',
        { claims: { ...MAIN, aud: 'x' }, expect: 'DENIED', reason: 'token_audience' },
        true,
      ],
      [
        'another issuer',
        { claims: { ...MAIN, iss: 'https://x.example' }, expect: 'DENIED', reason: 'identity_issuer' },
        true,
      ],
      ['that it is allowed by its reason', { claims: MAIN, expect: 'ALLOWED', reason: 'allowed' }, true],
      ['that nothing at all is allowed', { claims: {}, expect: 'ALLOWED' }, false],
      ['that nothing at all is denied', { claims: {}, expect: 'DENIED' }, true],
      [
        'that odd types are denied',
        { claims: { ...MAIN, ref: ['main'], x: { y: [null, 1.5, true] } }, expect: 'DENIED' },
        true,
      ],
      [
        'that they are allowed where nothing reads them',
        { claims: { ...MAIN, x: { y: [null, -0.1, {}] } }, expect: 'ALLOWED' },
        true,
      ],
      [
        'text that only a token may have',
        { claims: { ...MAIN, ref: 'main\n', s: '\\ \u2028 \u202e' }, expect: 'DENIED' },
        true,
      ],
      ['a merge request', { claims: gitlabClaims('18.4', mergeRequest()), expect: 'DENIED' }, true],
      ['the token of a day ago', { claims: { ...MAIN, iat: 1, exp: 2 }, expect: 'ALLOWED' }, true],
    ]
    for (const [name, expectation, passes] of EXPECTATIONS) {
      test(`can expect ${name}: it ${passes ? 'passes' : 'fails'}`, async () => {
        const stored = { title: name, ...expectation }

        const answer = await create(body([stored]))

        assert.equal(answer.status, passes ? 200 : 400, answer.text)
        if (passes) assert.deepEqual((await get(answer.json.email)).tests, [stored])
        else assert.equal(answer.json.details[0].tests[0].title, name)
      })
    }

    const REFUSED: readonly (readonly [name: string, tests: unknown, names: RegExp])[] = [
      ['that are no list', { title: 'x' }, /^tests must be a list/],
      ['without a title', [{ ...GOOD, title: undefined }], /^tests\[0\]\.title is required/],
      ['with a blank title', [{ ...GOOD, title: ' ' }], /^tests\[0\]\.title must not be blank/],
      [
        'with a title of two lines',
        [{ ...GOOD, title: 'a\nb' }],
        /^tests\[0\]\.title has a control character/,
      ],
      [
        'with one title twice',
        [GOOD, STRANGER, GOOD],
        /^tests\[2\]\.title 'A push to main' is the title of tests\[0\]/,
      ],
      ['without claims', [{ ...GOOD, claims: undefined }], /^tests\[0\]\.claims is required/],
      ['with a list of claims', [{ ...GOOD, claims: [MAIN] }], /^tests\[0\]\.claims must be an object/],
      ['with claims that are null', [{ ...GOOD, claims: null }], /^tests\[0\]\.claims must be an object/],
      ['without what they expect', [{ ...GOOD, expect: undefined }], /^tests\[0\]\.expect is required/],
      [
        'that expect a failure',
        [{ ...GOOD, expect: 'FAILED' }],
        /^tests\[0\]\.expect must be 'ALLOWED' or 'DENIED'/,
      ],
      [
        'with an unknown reason',
        [{ ...STRANGER, reason: 'because' }],
        /^tests\[0\]\.reason must be 'allowed'/,
      ],
      ['with a reason of the database', [{ ...STRANGER, reason: 'token_replayed' }], /^tests\[0\]\.reason/],
      [
        'allowed for a reason of a denial',
        [{ ...GOOD, reason: 'condition_not_met' }],
        /^tests\[0\]\.reason must be 'allowed' where/,
      ],
      [
        'denied for being allowed',
        [{ ...STRANGER, reason: 'allowed' }],
        /^tests\[0\]\.reason must be 'token_issuer'/,
      ],
      ['with another field', [{ ...GOOD, outcome: 'ALLOWED' }], /^tests\[0\]\.outcome is not a field/],
      [
        'with claims that no token has room for',
        [{ ...GOOD, claims: { x: 'x'.repeat(17_000) } }],
        /^tests\[0\]\.claims .*16384/,
      ],
      [
        'more than a hundred',
        Array.from({ length: 101 }, (_, n) => ({ ...GOOD, title: `${n}` })),
        /^tests .*at most 100 entries/,
      ],
    ]
    for (const [name, tests, names] of REFUSED) {
      test(`are refused ${name}`, async () => {
        const answer = await create(body(tests), 'never-made')

        assertProblem(answer, 400, 3, names)
        assertProblem(await world.admin('GET', pathOf(`never-made@${IDENTITY_DOMAIN}`)), 404, 5, /./)
      })
    }

    test('are refused with claims that could not be kept as they are', async () => {
      const send = (claims: string) =>
        world.request('POST', `${IDENTITIES}?workloadIdentityId=never-made`, {
          headers: { authorization: `Bearer ${world.adminToken}` },
          raw: JSON.stringify(body([{ ...GOOD, claims: 'CLAIMS' }])).replace('"CLAIMS"', claims),
        })

      assertProblem(
        await send('{"a":{"__proto__":1}}'),
        400,
        3,
        /^tests\[0\]\.claims\.a\.__proto__ is no name of a claim/,
      )
      assertProblem(
        await send('{"a":[1e999]}'),
        400,
        3,
        /^tests\[0\]\.claims\.a\[0\] is a number that is too large/,
      )
      assertProblem(await send('{"a":1,"a":2}'), 400, 3, /member twice/)
    })

    test('fail together, and are told together', async () => {
      const wrong = (n: number) => ({ title: `No. ${n}`, claims: MAIN, expect: 'DENIED' })

      const answer = await create(body([GOOD, ...Array.from({ length: 30 }, (_, n) => wrong(n))]))

      assertProblem(answer, 400, 3, /^tests: 30 tests fail\. Test 'No\. 0' expects DENIED/)
      assert.equal(answer.json.details[0].tests.length, 20)
    })

    test('take no part in an exchange', async () => {
      const email = (await create(body([STRANGER, GOOD]))).json.email

      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)

      assert.equal(answer.status, 200, answer.text)
      assert.equal((await world.decisions(email)).length, 1)
    })
  })
}

/** The tables that exchanges are held against, as tests by the rule that each is for. */
const TABLES = {
  GITLAB: Map.groupBy(
    ROWS.map(([title, claims, expected, { rule = 'app', version = '18.4' } = {}]: Row) => ({
      rule,
      config: RULES[rule].rule,
      test: testOf(`${title} (${version})`, gitlabClaims(version, claims), expected),
    })),
    ({ rule }) => rule as string,
  ),
  GITHUB: Map.groupBy(
    GITHUB_ROWS.map(([title, claims, expected, { rule = 'app' } = {}]: GithubRow) => ({
      rule,
      config: GITHUB_RULES[rule].rule,
      test: testOf(title, githubClaims(claims), expected),
    })),
    ({ rule }) => rule as string,
  ),
}

function testOf(title: string, claims: object, expected: Row[2]) {
  const isReason = typeof expected === 'string' && expected !== 'outside'
  const reason = isReason ? expected : 'condition_not_met'
  return { title, claims, expect: expected === 'allowed' ? 'ALLOWED' : 'DENIED', reason }
}

describe('what a test comes to is what an exchange comes to', () => {
  let world: World
  before(async () => {
    world = await startWorld('embedded')
  })
  after(() => world?.close())

  for (const [providerType, tables] of Object.entries(TABLES)) {
    for (const [rule, rows] of tables) {
      test(`for ${rows.length} tokens of ${providerType} and the rule ${rule}`, async () => {
        const issuerUrl = providerType === 'GITHUB' ? world.github.issuerUrl : world.gitlab.issuerUrl
        const rules = [{ id: 'the-rule', ...rows[0]?.config }]

        for (let start = 0; start < rows.length; start += 100) {
          const tests = rows.slice(start, start + 100).map((row) => row.test)
          const identity = identityBody(issuerUrl, { providerType, rules }, { tests })
          const answer = await world.admin('POST', '/v1/workloadIdentities:validate', identity)

          assert.deepEqual(answer.json.problems, [])
          assert.equal(answer.json.tests.length, tests.length)
          for (const { passed, message } of answer.json.tests) assert.ok(passed, message)
        }
      })
    }
  }
})
