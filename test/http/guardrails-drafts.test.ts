import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, verdictOf } from '../support/answers.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }
const HOSTED = requiring('hosted_runner', 'input.claims.runner_environment == "gitlab-hosted"')
const PROTECTED = requiring('protected', 'input.claims.ref_protected == "true"')
const OWN_RUNNER = { runner_environment: 'self-hosted' }
const DAY_MS = 86_400_000

function requiring(code: string, condition: string): string {
  return `package claimgate.guardrails\n\nrequired := {"${code}": "It must be."}\n\nmet contains "${code}" if ${condition}\n`
}

for (const kind of ONE_DATABASE) {
  describe(`drafts of the guardrails on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const put = (body: object) => world.admin('PUT', '/v1/guardrails', body)
    const get = async () => (await world.admin('GET', '/v1/guardrails')).json
    const draft = (body: object, headers: Record<string, string> = {}) =>
      world.request('PUT', '/v1/guardrails/draft', {
        body,
        headers: { authorization: `Bearer ${world.adminToken}`, ...headers },
      })
    const readDraft = () => world.admin('GET', '/v1/guardrails/draft')
    const impactOf = (query = '') => world.admin('POST', `/v1/guardrails/draft:impact${query}`)
    const activate = (impact: string, query = '') =>
      world.admin('POST', `/v1/guardrails/draft:activate${query}`, { impact })
    const exchange = (email: string, claims: Claims = {}) =>
      world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), email)
    /** So that what other tests have recorded is older than a day. */
    const begin = async (source: string) => {
      world.clock.advance(2 * DAY_MS)
      await put({ source })
      return world.createIdentity([RULE])
    }

    test('are none at first, and made on no version where there is none', async () => {
      assertProblem(await readDraft(), 404, 5, /no draft/)
      assertProblem(await impactOf(), 404, 5, /no draft/)
      assertProblem(await activate('x'), 404, 5, /no draft/)
      assertProblem(await world.admin('DELETE', '/v1/guardrails/draft'), 404, 5, /no draft/)

      const first = await draft({ source: HOSTED })
      const impact = await impactOf()
      await put({ source: PROTECTED })
      const stale = await activate(impact.json.id)

      assert.deepEqual([first.json.baseVersion, first.json.isStale], [null, false])
      assert.equal((await readDraft()).json.isStale, true)
      assertProblem(stale, 409, 10, /made before there was a version, and version 1 is the newest/)
    })

    test('decide nothing until they are activated, and then the next exchange', async () => {
      const email = await begin('')
      const before = await get()
      const tests = [{ title: 'None', claims: {}, expect: 'DENIED' }]

      const drafted = await draft({ source: HOSTED, tests })
      const meanwhile = await exchange(email, OWN_RUNNER)
      const read = await readDraft()
      const unchanged = await get()
      const impact = await impactOf()
      const activated = await activate(impact.json.id, '?reason=Our%20own%20runners%20are%20not%20safe')
      const after = await exchange(email, OWN_RUNNER)

      assert.equal(drafted.status, 200, drafted.text)
      assert.deepEqual(read.json, drafted.json)
      assert.equal(read.headers.get('etag'), `"${drafted.json.etag}"`)
      const { name, source, digest, author } = drafted.json
      assert.deepEqual([name, source, author], ['guardrails/draft', HOSTED, 'adminTokens/first'])
      assert.deepEqual(drafted.json.tests, tests)
      assert.deepEqual([drafted.json.isStale, drafted.json.impact], [false, null])
      assert.deepEqual(unchanged, before)
      assert.deepEqual([meanwhile.status, after.status], [200, 403])
      assert.equal(activated.status, 200, activated.text)
      assert.deepEqual(
        [activated.json.source, activated.json.tests, activated.json.digest],
        [HOSTED, tests, digest],
      )
      assert.deepEqual(await get(), activated.json)
      const [version] = (await world.admin('GET', '/v1/guardrails/versions')).json.versions
      assert.deepEqual(
        [version.change, version.reason, version.source],
        ['ACTIVATION', 'Our own runners are not safe', HOSTED],
      )
      assertProblem(await readDraft(), 404, 5, /no draft/)
    })

    test('show whom they would let in and keep out, of every identity or of one', async () => {
      const email = await begin(HOSTED)
      const other = await world.createIdentity([{ group: 'acme' }])
      const letIn = await exchange(email, OWN_RUNNER)
      const keptOut = await exchange(email, { ref_protected: 'false' })
      await exchange(email)
      await exchange(email, { ...OWN_RUNNER, project_path: 'acme/web' })
      await world.exchange('no token', email)
      await exchange(other, { ref_protected: 'false' })
      await draft({ source: PROTECTED })

      const all = await impactOf('?days=1')
      const one = await impactOf(`?days=1&identity=${email}`)

      assert.equal(all.status, 200, all.text)
      const counts = ({ json }: typeof all) => [
        json.replayed,
        json.newlyAllowed.count,
        json.newlyDenied.count,
        json.unchanged,
        json.rolesChanged.count,
        json.errors.count,
      ]
      assert.deepEqual(counts(all), [5, 1, 2, 2, 0, 0])
      assert.deepEqual(counts(one), [4, 1, 1, 2, 0, 0])
      assert.deepEqual(one.json.notReplayed, [{ reason: 'token_malformed', count: 1 }])
      assert.equal(one.json.isComplete, true)
      const [allowed] = one.json.newlyAllowed.decisions
      const [denied] = one.json.newlyDenied.decisions
      assert.equal(allowed.decision, `decisions/${letIn.json.details[0].decisionId}`)
      assert.equal(denied.decision, `decisions/${keptOut.json.decisionId}`)
      // The identity's own part as it was recorded, and of the guardrails what the draft says.
      const recorded = verdictOf((await world.admin('GET', `/v1/${denied.decision}`)).json)
      assert.deepEqual(denied.verdict, {
        ...recorded,
        allow: false,
        guardrails: [{ code: 'protected', message: 'It must be.', met: false }],
        roles: [],
      })
      assert.deepEqual(allowed.verdict.guardrails, [{ code: 'protected', message: 'It must be.', met: true }])
      assert.deepEqual([allowed.verdict.allow, allowed.verdict.rules[0].met], [true, true])
      // Looking changes nothing and records nothing.
      assert.equal((await world.decisions(email)).length, 5)
      assert.equal((await readDraft()).json.impact, one.json.id)
      assert.equal((await get()).source, HOSTED)
    })

    test('that remove them show whom only they kept out', async () => {
      const email = await begin(HOSTED)
      await exchange(email, OWN_RUNNER)
      await exchange(email, { ...OWN_RUNNER, project_path: 'acme/web' })
      await exchange(email)
      const drafted = await draft({ source: '', tests: [{ title: 'None', claims: {}, expect: 'DENIED' }] })

      const { json } = await impactOf('?days=1')
      const activated = await activate(json.id)

      assert.deepEqual([drafted.json.digest, drafted.json.tests], [null, []])
      assert.deepEqual([json.newlyAllowed.count, json.newlyDenied.count, json.unchanged], [1, 0, 2])
      assert.deepEqual(json.newlyAllowed.decisions[0].verdict.guardrails, [])
      assert.deepEqual([activated.json.source, activated.json.digest], ['', null])
      assert.equal((await exchange(email, OWN_RUNNER)).status, 200)
    })

    test('count what they give no verdict on as errors', async () => {
      const email = await begin('')
      await exchange(email)
      await exchange(email, { ref: 'v1', ref_path: 'refs/heads/v1' })
      const conflict =
        'which := 1 if is_string(input.claims.ref)\nwhich := 2 if input.claims.ref == "main"\nmet contains "protected" if which == 3\n'
      await draft({ source: `${PROTECTED}${conflict}` })

      const { json } = await impactOf('?days=1')

      assert.deepEqual([json.errors.count, json.unchanged], [1, 1])
      const [error] = json.errors.decisions
      assert.deepEqual([error.error, error.verdict], ['policy_error', null])
    })

    test('leave alone what an identity’s own draft says of recorded guardrails', async () => {
      const email = await begin(HOSTED)
      await exchange(email, OWN_RUNNER)
      await exchange(email)
      await world.admin('PUT', `/v1/workloadIdentities/${email}/draft`, {
        workloadIdentityConfig: { rules: [{ ...RULE, project: 'web' }] },
      })

      const { json } = await world.admin('POST', `/v1/workloadIdentities/${email}/draft:impact`)

      assert.deepEqual([json.newlyDenied.count, json.unchanged], [1, 1])
      assert.deepEqual(json.newlyDenied.decisions[0].verdict.guardrails, [
        { code: 'hosted_runner', message: 'It must be.', met: true },
      ])
    })

    test('are activated once their last impact was seen, on what they were made on', async () => {
      await begin(PROTECTED)
      await draft({ source: HOSTED })
      const unseen = await activate('00000000-0000-0000-0000-000000000000')
      const first = await impactOf()
      const second = await impactOf()
      const former = await activate(first.json.id)
      const seen = (await readDraft()).json
      await draft({ source: HOSTED })
      const drafted = await activate(second.json.id)
      const third = await impactOf()
      await put({ source: '' })
      const stale = await activate(third.json.id)
      const staleImpact = await impactOf()

      assertProblem(unseen, 400, 9, /POST \/v1\/guardrails\/draft:impact/)
      assertProblem(former, 409, 10, /not the last one/)
      assert.equal(seen.impact, second.json.id)
      assertProblem(drafted, 400, 9, /not looked at yet/)
      for (const answer of [stale, staleImpact]) assertProblem(answer, 409, 10, /draft the change anew/)
      assert.equal((await readDraft()).json.isStale, true)
      assert.equal((await get()).source, '')
    })

    test('say how many stored tests they remove: when drafted, held against decisions, and activated', async () => {
      await begin('')
      await put({ source: HOSTED, tests: [{ title: 'None', claims: {}, expect: 'DENIED' }] })

      const drafted = await draft({ source: PROTECTED })
      const read = await readDraft()
      const impact = await impactOf()
      const activated = await activate(impact.json.id)

      const would = ['tests: 1 of 1 stored tests would be removed, as a save replaces all of them']
      assert.deepEqual([drafted.json.notices, impact.json.notices], [would, would])
      assert.equal(Object.hasOwn(read.json, 'notices'), false)
      assert.deepEqual(activated.json.notices, [
        'tests: 1 of 1 stored tests are removed, as a save replaces all of them',
      ])
    })

    test('that fail their own tests are drafted, and refused when they are activated', async () => {
      await begin('')
      const tests = [{ title: 'All', claims: OWN_RUNNER, expect: 'ALLOWED' }]
      const drafted = await draft({ source: HOSTED, tests })

      const refused = await activate((await impactOf()).json.id)

      assert.equal(drafted.status, 200, drafted.text)
      assertProblem(refused, 400, 3, /^tests: a test fails\. Test 'All' expects ALLOWED/)
      assert.equal((await get()).source, '')
    })

    test('are refused with the problems of their Rego, and the one that there was stays', async () => {
      await begin('')
      const { json: before } = await draft({ source: HOSTED })

      const refused = await draft({ source: HOSTED.replace('runner_environment', 'runner_enviroment') })
      const misshapen = await draft({ source: 1 })

      assertProblem(
        refused,
        400,
        3,
        /^source .*guardrails\.rego:5:33: undefined ref: \S+\. Did you mean runner_environment\?$/,
      )
      assert.equal(refused.json.details[0].problems[0].file, 'guardrails.rego')
      assertProblem(misshapen, 400, 3, /^source must be a string/)
      assert.deepEqual((await readDraft()).json, before)
    })

    test('are changed and thrown away only as they were read, where an etag is given', async () => {
      await begin('')
      const { json: first } = await draft({ source: HOSTED })
      const next = await draft({ source: PROTECTED }, { 'if-match': `"${first.etag}"` })
      const stale = await draft({ source: HOSTED }, { 'if-match': `"${first.etag}"` })
      const ofGuardrails = await draft({ ...(await get()), source: HOSTED, etag: first.etag })
      const remove = (etag: string) =>
        world.request('DELETE', '/v1/guardrails/draft', {
          headers: { authorization: `Bearer ${world.adminToken}`, 'if-match': `"${etag}"` },
        })
      const kept = await remove(first.etag)
      const gone = await remove(next.json.etag)

      assert.equal(next.status, 200, next.text)
      for (const answer of [stale, ofGuardrails, kept]) assertProblem(answer, 409, 10, /etag/)
      assert.deepEqual(gone.json, {})
      assertProblem(await readDraft(), 404, 5, /no draft/)
    })

    test('are held against the days, and the identity, that are asked for', async () => {
      const email = await begin('')
      await exchange(email, OWN_RUNNER)
      world.clock.advance(5 * DAY_MS)
      await exchange(email, OWN_RUNNER)
      await draft({ source: HOSTED })

      const counts = [
        await impactOf(`?identity=${email}`),
        await impactOf(`?identity=${email}&days=3`),
        await impactOf(`?identity=${await world.createIdentity([RULE])}`),
      ]

      assert.deepEqual(
        counts.map(({ json }) => json.newlyDenied.count),
        [2, 1, 0],
      )
      for (const days of ['0', '367', '-1', 'x'])
        assertProblem(await impactOf(`?days=${days}`), 400, 3, /days/)
      assertProblem(await impactOf(`?identity=nobody@${IDENTITY_DOMAIN}`), 404, 5, /no such workload/)
    })

    test('are an administrator’s alone', async () => {
      for (const [method, path, body] of [
        ['GET', '/v1/guardrails/draft'],
        ['PUT', '/v1/guardrails/draft', { source: '' }],
        ['DELETE', '/v1/guardrails/draft'],
        ['POST', '/v1/guardrails/draft:impact'],
        ['POST', '/v1/guardrails/draft:activate', { impact: 'x' }],
        ['POST', '/v1/guardrails/versions/1:rollback'],
        ['GET', '/v1/guardrails/versions/1:diff'],
      ] as const) {
        assertProblem(await world.request(method, path, body === undefined ? {} : { body }), 401, 16, /./)
      }
    })
  })
}
