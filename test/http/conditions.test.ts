import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertEchoable, assertProblem, verdictOf } from '../support/answers.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }
const MESSAGE = 'Only GitLab\'s own "runners" may deploy *anything*.'
const CONDITIONS = [
  'package claimgate.conditions',
  '',
  `required := {"hosted_runner": ${JSON.stringify(MESSAGE).replaceAll('\\"', "'")}, "by_hand": "Start it by hand."}`,
  '',
  'met contains "hosted_runner" if input.claims.runner_environment == "gitlab-hosted"',
  '',
  'met contains "by_hand" if input.claims.pipeline_source in {"web", "api"}',
  '',
].join('\n')
const SELF_HOSTED = { runner_environment: 'self-hosted', pipeline_source: 'web' }

for (const kind of ONE_DATABASE) {
  describe(`conditions of an identity on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) =>
      world.gitlab.signToken(gitlabClaims('18.4', { pipeline_source: 'web', ...claims }))
    const withConditions = (conditions = CONDITIONS, rule: object = RULE) =>
      world.createIdentity([rule], { config: { conditions } })
    const patch = (email: string, body: object, query = '') =>
      world.admin('PATCH', `/v1/workloadIdentities/${email}${query}`, body)
    const unmetOf = (conditions: readonly { code: string; met: boolean }[]) =>
      conditions.filter(({ met }) => !met).map(({ code }) => code)

    test('are answered as they were given, and are a module of the policy', async () => {
      const email = await withConditions()

      const read = await world.admin('GET', `/v1/workloadIdentities/${email}`)
      const policy = await world.admin('GET', `/v1/workloadIdentities/${email}/policy`)

      assert.equal(read.json.workloadIdentityConfig.conditions, CONDITIONS)
      const module = policy.json.modules.find(({ path }: { path: string }) => path === 'conditions.rego')
      assert.equal(module.source, CONDITIONS)
      assert.equal(read.json.policyDigest, policy.json.digest)
    })

    test('that are not there are not answered', async () => {
      const none = await world.createIdentity([RULE])
      const empty = await withConditions('')

      for (const email of [none, empty]) {
        const { json } = await world.admin('GET', `/v1/workloadIdentities/${email}`)
        assert.equal(Object.hasOwn(json.workloadIdentityConfig, 'conditions'), false)
      }
    })

    test('let a token through that meets them all, and record that', async () => {
      const email = await withConditions()

      const answer = await world.exchange(sign(), email)

      assert.equal(answer.status, 200, answer.text)
      const verdict = verdictOf(await world.lastDecision(email))
      assert.deepEqual(
        verdict.conditions.map(({ code, met }) => [code, met]),
        [
          ['by_hand', true],
          ['hosted_runner', true],
        ],
      )
    })

    test('that are not met refuse with their message, inside the group', async () => {
      const email = await withConditions()

      const answer = await world.exchange(sign(SELF_HOSTED), email)

      assertProblem(answer, 403, 7, /condition 'hosted_runner' is not met: Only GitLab's own 'runners' may/)
      assertEchoable(answer)
      const [details] = answer.json.details
      assert.equal(details.reason, 'denied_by_conditions')
      assert.deepEqual(unmetOf(details.conditions), ['hosted_runner'])
      assert.doesNotMatch(answer.json.message, /Start it by hand/)
      const decision = await world.lastDecision(email)
      assert.deepEqual([decision.outcome, decision.reason], ['DENIED', 'denied_by_conditions'])
      assert.deepEqual(verdictOf(decision).roles, [])
    })

    test('are told beside the rules where neither are met, of which the rules are the reason', async () => {
      const email = await withConditions(CONDITIONS, { ...RULE, project: 'other' })

      const answer = await world.exchange(sign(SELF_HOSTED), email)

      assert.equal(answer.json.details[0].reason, 'condition_not_met')
      assert.match(answer.json.message, /Condition project: .*'hosted_runner' is not met/)
      assert.deepEqual(unmetOf(answer.json.details[0].conditions), ['hosted_runner'])
    })

    test('come after the audience', async () => {
      const email = await withConditions()

      const answer = await world.exchange(sign({ ...SELF_HOSTED, aud: 'https://other.example' }), email)

      assert.equal(answer.json.details[0].reason, 'token_audience')
      assert.deepEqual(unmetOf(answer.json.details[0].conditions), ['hosted_runner'])
    })

    test('a claim that is absent or of another type does not meet them', async () => {
      const email = await withConditions()
      const values = [
        undefined,
        null,
        ['gitlab-hosted'],
        { x: 'gitlab-hosted' },
        true,
        1,
        'GitLab-Hosted',
        '',
      ]

      for (const runner_environment of values) {
        const answer = await world.exchange(sign({ runner_environment }), email)
        assert.equal(answer.json.details?.[0].reason, 'denied_by_conditions', String(runner_environment))
      }
    })

    test('explainToken tells them too', async () => {
      const email = await withConditions()
      const explain = (token: string) =>
        world.request('POST', '/v1/auth:explainToken', { body: { token, email } })

      const denied = await explain(sign(SELF_HOSTED))
      const allowed = await explain(sign())

      assert.deepEqual([denied.json.outcome, denied.json.reason], ['DENIED', 'denied_by_conditions'])
      assert.deepEqual(unmetOf(denied.json.conditions), ['hosted_runner'])
      assert.match(denied.json.message, /hosted_runner/)
      assertEchoable(denied)
      assert.deepEqual([allowed.json.outcome, unmetOf(allowed.json.conditions)], ['ALLOWED', []])
    })

    test('tell nobody outside of the group', async () => {
      const token = sign({ ...SELF_HOSTED, project_path: 'others/app' })
      const answers = []
      for (const email of [await withConditions(), await world.createIdentity([RULE])]) {
        answers.push(await world.exchange(token, email))
      }

      const bytes = answers.map(({ text }) => text.replace(/[0-9a-f-]{36}/g, 'ID'))
      assertProblem(answers[0] ?? assert.fail(), 401, 16, 'Token exchange denied.')
      assert.equal(bytes[0], bytes[1])
    })

    test('are changed by name, without the rules, and hold for the next exchange on every instance', async () => {
      const other = kind === 'postgresql' ? await world.startInstance() : world.app
      const email = await world.createIdentity([RULE])
      const exchange = () =>
        world.request('POST', '/v1/auth:exchangeToken', {
          url: other.url,
          body: { token: sign(SELF_HOSTED), email },
        })
      assert.equal((await exchange()).status, 200)

      const set = await patch(
        email,
        { workloadIdentityConfig: { conditions: CONDITIONS } },
        '?updateMask=workloadIdentityConfig.conditions',
      )

      assert.equal(set.status, 200, set.text)
      assert.equal(set.json.workloadIdentityConfig.conditions, CONDITIONS)
      assert.equal((await exchange()).status, 403)
      const renamed = await patch(email, { title: 'Renamed' })
      assert.equal(renamed.json.workloadIdentityConfig.conditions, CONDITIONS)
      const removed = await patch(
        email,
        { workloadIdentityConfig: { conditions: '' } },
        '?updateMask=workloadIdentityConfig.conditions',
      )
      assert.equal(Object.hasOwn(removed.json.workloadIdentityConfig, 'conditions'), false)
      assert.equal((await exchange()).status, 200)
    })

    test('that are named and absent are taken away', async () => {
      const email = await withConditions()

      const changed = await patch(email, {}, '?updateMask=workloadIdentityConfig.conditions')

      assert.equal(changed.status, 200, changed.text)
      assert.equal(Object.hasOwn(changed.json.workloadIdentityConfig, 'conditions'), false)
    })

    test('with problems are refused whole, with each place and how to mend it', async () => {
      const email = await withConditions()
      const bad = CONDITIONS.replace(
        'input.claims.runner_environment == "gitlab-hosted"',
        'not input.claims.runner_environment == "self-hosted"',
      )

      const answer = await patch(email, { title: 'Half', workloadIdentityConfig: { conditions: bad } })

      assertProblem(
        answer,
        400,
        3,
        /^workloadIdentityConfig\.conditions .*conditions\.rego:5:33: 'not' .*\. Say what the claim must be: /,
      )
      const [problem, ...more] = answer.json.details[0].problems
      assert.deepEqual(more, [])
      assert.deepEqual(
        { ...problem, message: typeof problem.message, hint: typeof problem.hint },
        {
          code: 'negated_claim',
          message: 'string',
          hint: 'string',
          file: 'conditions.rego',
          row: 5,
          column: 33,
        },
      )
      const { json } = await world.admin('GET', `/v1/workloadIdentities/${email}`)
      assert.deepEqual([json.title, json.workloadIdentityConfig.conditions], ['Deploy', CONDITIONS])
    })

    test('that a token without claims meets, in whatever way, are refused', async () => {
      const ways = [
        'met contains "a" if count({x | x := input.claims.environment; x != "p"}) == 0',
        'default env := "production"\nenv := input.claims.environment\nmet contains "a" if env == "production"',
        'env := "dev" if input.claims.environment == "dev"\nelse := "production"\nmet contains "a" if env == "production"',
        'met contains "a" if every x in [y | y := input.claims.environment] { x == "production" }',
        // With a claim that is there they are not met by a token without any.
        ...[
          'default own := false\nown if input.claims.environment == "dev"\nmet contains "a" if { input.claims.ref == "main"; own == false }',
          'kind := "bad" if { input.claims.environment == "dev" } else := "good"\nmet contains "a" if { input.claims.ref == "main"; kind == "good" }',
          'default f(_) := false\nf(i) if i.claims.environment == "dev"\nmet contains "a" if { input.claims.ref == "main"; f(input) == false }',
          'bad contains "x" if input.claims.environment == "dev"\nmet contains "a" if { input.claims.ref == "main"; count(bad) == 0 }',
          'bad["x"] := 1 if input.claims.environment == "dev"\nmet contains "a" if { input.claims.ref == "main"; count(bad) == 0 }',
          'met contains "a" if { input.claims.ref == "main"; count([1 | input.claims.environment == "dev"]) == 0 }',
          'met contains "a" if { input.claims.ref == "main"; {"dev"} - {v | v := input.claims.environment} == {"dev"} }',
          'met contains "a" if { input.claims.ref == "main"; object.filter(input.claims, ["environment"]) == {} }',
        ],
      ]
      for (const way of ways) {
        const answer = await world.admin(
          'POST',
          '/v1/workspaces/default/workloadIdentities?workloadIdentityId=empty-met',
          identityBody(world.gitlab.issuerUrl, {
            conditions: `package claimgate.conditions\nrequired := {"a": "A."}\n${way}\n`,
          }),
        )

        assertProblem(answer, 400, 3, /./)
        const codes = answer.json.details[0].problems.map(({ code }: { code: string }) => code)
        const expected = ['met_without_claims', 'unequal_claim', 'claim_with_default', 'set_of_claims']
        assert.ok(
          codes.some((code: string) => expected.includes(code)),
          `${way}: ${codes}`,
        )
      }
    })

    test('may read the time and the identity, and need no claim then', async () => {
      const email = await withConditions(
        'package claimgate.conditions\nrequired := {"own": "A."}\nmet contains "own" if {\n\tinput.time > 1000\n\tnot input.identity.project == "frozen"\n}\n',
      )

      assert.equal((await world.exchange(sign(), email)).status, 200)
    })

    test('of 200 KiB are taken, of more than the body or the policy may have not', async () => {
      const filled = (bytes: number) => `${CONDITIONS}# ${'x'.repeat(bytes)}\n`

      const email = await withConditions(filled(200 * 1024))
      const tooLarge = await patch(email, { workloadIdentityConfig: { conditions: filled(300 * 1024) } })
      const beyond = await patch(email, { workloadIdentityConfig: { conditions: filled(600 * 1024) } })

      assert.equal((await world.exchange(sign(), email)).status, 200)
      assertProblem(tooLarge, 400, 3, /bytes of source/)
      assert.equal(tooLarge.json.details[0].problems[0].file, 'conditions.rego')
      assertProblem(beyond, 413, 3, /512 KiB/)
    })

    test('that fail on a sample are refused when they are saved', async () => {
      const email = await withConditions()
      const conflict = `${CONDITIONS}which := 1 if is_object(input.claims)\nwhich := 2 if input.time == 0\nmet contains "by_hand" if which == 3\n`

      const answer = await patch(email, { workloadIdentityConfig: { conditions: conflict } })

      assertProblem(answer, 400, 3, /conditions\.rego:9:1: .*conflict/)
      const [problem] = answer.json.details[0].problems
      assert.deepEqual([problem.code, problem.row], ['policy_error', 9])
      assert.match(problem.hint, /different names/)
    })
  })
}
