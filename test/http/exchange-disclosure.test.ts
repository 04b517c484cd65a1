import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { assertEchoable, assertNoToken, assertProblem, verdictOf } from '../support/answers.ts'
import { breakPolicy } from '../support/break-policy.ts'
import { type Claims, gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import {
  type Answer,
  IDENTITY_DOMAIN,
  ONE_DATABASE,
  runSql,
  startWorld,
  type World,
} from '../support/world.ts'

const RULE = { id: 'deploy', title: 'Deploy', group: 'acme', project: 'app' }

for (const kind of ONE_DATABASE) {
  describe(`what a refusal tells whom, on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))

    test('identities that a caller is no part of answer with the same bytes, whatever is the matter', async () => {
      const emails = new Map([
        ['identity_unknown', `id-unknown@${IDENTITY_DOMAIN}`],
        ['identity_unknown of another domain', 'id-unknown@elsewhere.example'],
        ['identity_inactive: deleted', await deletedIdentity()],
        ['identity_inactive: disabled', await disabledIdentity()],
        ['identity_inactive: of a deleted project', await identityOfDeletedProject()],
        [
          'identity_issuer',
          await world.createIdentity([RULE], { config: { issuerUrl: 'https://gitlab.example.org' } }),
        ],
        ['condition_not_met', await world.createIdentity([{ ...RULE, group: 'others' }])],
        ['condition_not_met of many rules', await world.createIdentity(manyRules())],
        ['condition_not_met of disabled rules', await world.createIdentity([{ ...RULE, disabled: true }])],
        ...(await identitiesOnlySqlMakes()),
      ])
      const aud = world.gitlab.issuerUrl
      const requests: readonly (readonly [
        token: () => string,
        more: Record<string, unknown>,
        reason?: string,
      ])[] = [
        [sign, {}],
        [sign, { audience: 'https://nobody.asked.example' }, 'audience_not_allowed'],
        [() => sign({ aud: [aud, 'https://other.example'] }), {}, 'token_audience'],
      ]
      for (const [token, more, otherReason] of requests) {
        const answers: Answer[] = []
        for (const [name, email] of emails) {
          await world.exchange(token(), email, more)

          const answer = await world.exchange(token(), email, more)

          answers.push(answer)
          const decision = await world.lastDecision(email)
          const [reason = ''] = name.split(/[: ]/)
          const expected = reason.startsWith('identity_') ? reason : (otherReason ?? reason)
          assert.equal(decision?.reason, expected, name)
          assert.equal(decision?.outcome, expected.startsWith('policy_') ? 'FAILED' : 'DENIED')
          assert.equal(decision?.verdict === null, /^identity_|policy_error/.test(reason), name)
          assert.ok(decision?.claims)
        }
        const [first, ...rest] = answers.map(withoutIds)
        assertProblem(answers[0] as Answer, 401, 16, 'Token exchange denied.')
        for (const other of rest) assert.deepEqual(other, first)
      }
    })

    test('the undifferentiated answer repeats only what the own token says', async () => {
      const email = await world.createIdentity([{ ...RULE, group: 'others' }])

      const full = await world.exchange(sign({ user_login: 'jane.doe' }), email)
      const bare = await world.exchange(
        sign({ project_path: undefined, ref_path: null, pipeline_source: 7 }),
        email,
      )

      assert.deepEqual(Object.keys(full.json.details[0]), ['decisionId', 'token'])
      assert.deepEqual(full.json.details[0].token, {
        project_path: 'acme/app',
        ref_path: 'refs/heads/main',
        pipeline_source: 'push',
        aud: world.gitlab.issuerUrl,
      })
      assert.deepEqual(bare.json.details[0].token, { aud: world.gitlab.issuerUrl })
    })

    test('inside the group only the rules whose group the token met are told', async () => {
      const email = await world.createIdentity([
        { ...RULE, id: 'first', project: 'other-app' },
        { ...RULE, id: 'hidden', title: 'Merger with Initech', group: 'acme-secret', project: 'plans' },
        { ...RULE, id: 'second', project: 'third-app', mergeRequests: 'NONE', protectedRefsOnly: true },
        { ...RULE, id: 'asleep', title: 'Asleep', disabled: true },
      ])

      const answer = await world.exchange(sign(mergeRequest()), email)

      assertProblem(answer, 403, 7, /^Token exchange denied\. Rule 'first'/)
      const [details] = answer.json.details
      assert.deepEqual(
        details.rules.map(({ id }: { id: string }) => id),
        ['first', 'second'],
      )
      assert.doesNotMatch(answer.text, /hidden|Initech|acme-secret|plans|asleep/i)
      assert.doesNotMatch(answer.json.message, /'second'/, 'the message is about the closest rule alone')
      const decision = await world.lastDecision(email)
      assert.deepEqual(
        verdictOf(decision).rules.map(({ id }) => id),
        ['first', 'hidden', 'second'],
      )
    })

    test('an identity of another issuer tells nothing, also where a rule of it has the group', async () => {
      const issuerUrl = 'https://gitlab.example.net'
      const email = await world.createIdentity([{ group: 'acme', project: 'other' }], {
        config: { issuerUrl },
      })

      const answer = await world.exchange(sign(), email)

      assertProblem(answer, 401, 16, 'Token exchange denied.')
    })

    test('the email of an identity is compared to the letter', async () => {
      const email = await world.createIdentity([RULE], { id: 'lettered' })

      for (const other of [email.toUpperCase(), `Lettered@${IDENTITY_DOMAIN}`]) {
        assertProblem(await world.exchange(sign(), other), 401, 16, 'Token exchange denied.')
      }
    })

    test('every answer comes through `echo $RESPONSE` as the JSON that it was', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'claimgate-echo-'))
      for (const name of ['main', 'v1', 'a', 'x*', '-n', 'refs']) writeFileSync(join(directory, name), '')
      mkdirSync(join(directory, 'sub'))
      const email = await world.createIdentity([
        {
          ...RULE,
          title: 'All * of [it]? "quoted" $HOME `id`',
          refs: [
            { type: 'BRANCH', pattern: 'release/*' },
            { type: 'TAG', pattern: 'v*.*' },
          ],
          claims: { environment: ['*', '[a-z]', 'pro?', 'a "b" c'] },
        },
      ])
      const hostile: readonly Claims[] = [
        { ref: '*' },
        { ref: 'a * b ? [x]' },
        { ref: 'back\\slash \\n "quoted" \'single\' `id` $(id) $HOME' },
        { environment: 'line\nbreak\ttab \u001b[31mred\u0007\u009b' },
        { environment: ['*'] },
        { project_path: 'acme/*', namespace_path: 'acme' },
        { pipeline_source: '\u2028\u202e*' },
        { sub: 'a\\b * c' },
        { aud: ['*', 'a\\"b'] },
      ]
      for (const claims of hostile) {
        const answer = await world.exchange(sign(claims), email)

        assertEchoable(answer)
        const echoed = execFileSync('sh', ['-c', 'RESPONSE=$(cat); echo $RESPONSE'], {
          cwd: directory,
          input: answer.text,
          encoding: 'utf8',
        })
        assert.equal(echoed, `${answer.text.replace(/\s+/g, ' ')}\n`)
        assert.deepEqual(JSON.parse(echoed), JSON.parse(answer.text.replace(/\s+/g, ' ')))
      }
      rmSync(directory, { recursive: true })
    })

    test('personal claims are neither judged nor stored, unless the identity has them recorded', async () => {
      const persons = {
        user_login: 'jane.doe',
        user_email: 'jane.doe@example.com',
        user_identities: [{ provider: 'github', extern_uid: '2435223452345-jane.doe' }],
        groups_direct: ['jane.doe-team'],
        actor: 'jane.doe',
      }
      const login = { ...RULE, id: 'login', claims: { user_login: ['jane.doe'] } }
      const without = await world.createIdentity([login])
      const withLogin = await world.createIdentity([login], { identity: { recordedClaims: ['user_login'] } })
      const foreign = await world.createIdentity([{ ...login, group: 'others' }])

      const refused = await world.exchange(sign(persons), without)
      const allowed = await world.exchange(sign(persons), withLogin)
      const outside = await world.exchange(sign(persons), foreign)
      const unknown = await world.exchange(sign(persons), `nobody-here@${IDENTITY_DOMAIN}`)
      const expired = await world.exchange(sign({ ...persons, exp: 1 }), without)

      assertProblem(
        refused,
        403,
        7,
        /Condition claim:user_login: user_login is not in the token.*recordedClaims/,
      )
      assert.equal(allowed.status, 200, allowed.text)
      for (const { text } of [refused, allowed, outside, unknown, expired])
        assert.doesNotMatch(text, /jane\.doe@|team|2435223/)
      for (const [answer, recorded] of [
        [refused, []],
        [allowed, ['user_login']],
        [outside, []],
        [unknown, []],
        [expired, []],
      ] as const) {
        const id = answer.json.decisionId ?? answer.json.details[0].decisionId
        const row = (await world.admin('GET', `/v1/decisions/${id}`)).json
        assert.deepEqual(
          Object.keys(persons).filter((name) => Object.hasOwn(row.claims, name)),
          recorded,
        )
        assert.doesNotMatch(JSON.stringify(row), /jane\.doe@|jane\.doe-team|2435223|sample-user/)
      }
    })

    test('no row of any table holds a token, a part of its signature or an administrator’s secret', async () => {
      const email = await world.createIdentity([RULE])
      const tokens = [
        sign(),
        sign({ project_path: 'acme/other' }),
        sign({ exp: 1 }),
        `${sign().slice(0, -6)}AAAAAA`,
        'not.a.token',
      ]
      const issued: string[] = []
      for (const token of tokens) {
        const answer = await world.exchange(token, email)
        if (answer.status === 200) issued.push(answer.json.accessToken)
        else assertNoToken(answer)
      }

      const rows = await everyRow(email)

      assert.equal(issued.length, 1)
      for (const token of [...tokens, ...issued]) {
        for (const part of token.split('.').slice(1)) {
          if (part.length > 10) assert.ok(!rows.includes(part.slice(0, 60)), 'a row holds a part of a token')
        }
      }
      assert.ok(!rows.includes(world.adminToken))
      assert.doesNotMatch(rows, /"d":|PRIVATE KEY/)
    })

    async function deletedIdentity(): Promise<string> {
      const email = await world.createIdentity([RULE])
      assert.equal((await world.admin('DELETE', `/v1/workloadIdentities/${email}`)).status, 200)
      return email
    }

    async function disabledIdentity(): Promise<string> {
      const email = await world.createIdentity([RULE])
      const disabled = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { state: 'DISABLED' })
      assert.equal(disabled.status, 200)
      return email
    }

    async function identityOfDeletedProject(): Promise<string> {
      await world.admin('POST', '/v1/projects?projectId=gone', {})
      const config = { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: [RULE] }
      const path = '/v1/projects/gone/workloadIdentities?workloadIdentityId=deploy'
      const { email } = (await world.admin('POST', path, { workloadIdentityConfig: config })).json
      assert.equal((await world.admin('DELETE', '/v1/projects/gone')).status, 200)
      return email
    }

    /** A state that no call leads to: a policy which does not run. */
    async function identitiesOnlySqlMakes(): Promise<readonly (readonly [string, string])[]> {
      if (world.databaseUrl === undefined) return []
      const broken = await world.createIdentity([RULE])
      await breakPolicy(world, broken)
      return [['policy_error', broken]]
    }

    /** All that is stored, as text: every table in PostgreSQL, elsewhere what the service answers of itself. */
    async function everyRow(email: string): Promise<string> {
      if (world.databaseUrl === undefined) return JSON.stringify(await world.decisions(email))
      const tables = await runSql(
        world.databaseUrl,
        `select tablename from pg_tables where schemaname = 'public'`,
      )
      const texts = []
      for (const { tablename } of tables) {
        const wasmless = tablename === 'policies' ? `to_jsonb(t) - 'wasm'` : 'to_jsonb(t)'
        texts.push(
          ...(await runSql(world.databaseUrl, `select (${wasmless})::text as text from ${tablename} t`)),
        )
      }
      return texts.map(({ text }) => text).join('\n')
    }
  })
}

function manyRules(): readonly object[] {
  return Array.from({ length: 20 }, (_, n) => ({ group: `others-${n}`, project: `project-${n}` }))
}

/** An answer less what is its own: its id, its decision's and its time. */
function withoutIds({ status, headers, text, json }: Answer): object {
  const { date: _date, 'x-request-id': _id, ...rest } = Object.fromEntries(headers)
  return { status, headers: rest, text: text.replaceAll(json.details[0].decisionId, 'ID') }
}
