import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { measurePlan } from '../../src/app/plan-impact.ts'
import { assertProblem } from '../support/answers.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const PLAN = '/v1/workspaces/default:planPolicies'
const AGENT = 'roles/gitopsServiceAgent'
const RULE = { id: 'ci', group: 'acme', project: 'app', refs: [], protectedRefsOnly: false, roles: [AGENT] }
const PROTECTED = { ...RULE, protectedRefsOnly: true }
const UNPROTECTED = { ref_protected: 'false', ref: 'dev', ref_path: 'refs/heads/dev' }
const OWN_RUNNER = { runner_environment: 'self-hosted' }
const DAY_MS = 86_400_000

const HOSTED = requiring('hosted', 'input.claims.runner_environment == "gitlab-hosted"')

function requiring(code: string, condition: string): string {
  return `package claimgate.guardrails\n\nrequired := {"${code}": "It must be."}\n\nmet contains "${code}" if ${condition}\n`
}

for (const kind of ONE_DATABASE) {
  describe(`the impact of a plan on ${kind}`, () => {
    let world: World
    let count = 0

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const exchange = (email: string, claims: Claims = {}) =>
      world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), email)
    /** So that what other tests have recorded is older than a month. */
    const begin = async (source = '') => {
      world.clock.advance(40 * DAY_MS)
      await world.admin('PUT', '/v1/guardrails', { source })
    }
    const create = async (rules: readonly object[] = [RULE], more: object = {}) => {
      const id = `planned-${++count}`
      await world.createIdentity(rules, { id, identity: more })
      return { id, email: `${id}@${IDENTITY_DOMAIN}` }
    }
    const wanted = (id: string, rules: readonly object[], more: object = {}, config: object = {}) => ({
      workloadIdentityId: id,
      workloadIdentity: identityBody(world.gitlab.issuerUrl, { rules, ...config }, more),
    })
    const plan = async (body: object, query = '') => {
      const answer = await world.admin('POST', `${PLAN}${query}`, { workloadIdentities: [], ...body })
      assert.equal(answer.status, 200, answer.text)
      return answer.json
    }
    const counts = (impact: Record<string, { count: number }>) =>
      ['newlyAllowed', 'newlyDenied', 'rolesChanged', 'errors'].map((name) => impact[name]?.count)

    test('says which recorded decisions would come out otherwise, with the newest and why, and saves nothing', async () => {
      await begin()
      const { id, email } = await create()
      for (let index = 0; index < 4; index++) await exchange(email, UNPROTECTED)
      await exchange(email)
      const before = await world.admin('GET', `/v1/workloadIdentities/${email}`)
      const newest = (await world.decisions(email)).filter(({ claims }) =>
        String((claims as Claims).ref_path).endsWith('dev'),
      )[0]

      const { changes } = await plan({ workloadIdentities: [wanted(id, [PROTECTED])] })

      const [{ impact }] = changes
      assert.deepEqual(counts(impact), [0, 4, 0, 0])
      assert.deepEqual([impact.replayed, impact.unchanged, impact.isComplete], [5, 1, true])
      assert.equal(impact.since, new Date(world.clock() - 30 * DAY_MS).toISOString())
      assert.equal(impact.newlyDenied.decisions.length, 3)
      const [first] = impact.newlyDenied.decisions
      assert.deepEqual([first.decision, first.identity], [newest?.name, email])
      assert.match(first.explanation, /^rule 'ci': protected_ref is not met \(ref_protected is "false"/)
      assert.deepEqual((await world.admin('GET', `/v1/workloadIdentities/${email}`)).json, before.json)
      const loosened = (await create([PROTECTED])).id
      await exchange(`${loosened}@${IDENTITY_DOMAIN}`, UNPROTECTED)
      const [looser] = (await plan({ workloadIdentities: [wanted(loosened, [RULE])] })).changes
      assert.deepEqual(counts(looser.impact), [1, 0, 0, 0])
      assert.equal(looser.impact.newlyAllowed.decisions[0].explanation, "rule 'ci' is met")
      const [other] = (await plan({ workloadIdentities: [wanted(id, [{ ...RULE, roles: [] }])] })).changes
      assert.deepEqual(counts(other.impact), [0, 0, 5, 0])
      assert.equal(other.impact.rolesChanged.decisions[0].explanation, 'without roles')
    })

    test('looks at the days that are asked for, and at none for 0', async () => {
      await begin()
      const { id, email } = await create()
      await exchange(email, UNPROTECTED)
      world.clock.advance(3 * DAY_MS)
      await exchange(email, UNPROTECTED)
      const asked = async (query: string) =>
        (await plan({ workloadIdentities: [wanted(id, [PROTECTED])] }, query)).changes[0]

      assert.equal((await asked('?days=2')).impact.newlyDenied.count, 1)
      assert.equal((await asked('?days=4')).impact.newlyDenied.count, 2)
      assert.equal(Object.hasOwn(await asked('?days=0'), 'impact'), false)
      for (const days of ['367', '-1', '1.5', 'x']) {
        const refused = await world.admin('POST', `${PLAN}?days=${days}`, { workloadIdentities: [] })
        assertProblem(refused, 400, 3, /days must be a whole number from 0 to 366/)
      }
    })

    test('of what is created there is none, nor of what leaves the policy as it is; what closes an identity denies all', async () => {
      await begin()
      const [kept, disabled, deleted] = [await create(), await create(), await create()]
      for (const { email } of [kept, disabled, deleted]) await exchange(email)

      const { changes } = await plan({
        workloadIdentities: [
          wanted('brand-new', [RULE]),
          wanted(kept.id, [RULE], { title: 'Another' }),
          wanted(disabled.id, [PROTECTED], { state: 'DISABLED' }),
        ],
        keep: (
          await world.admin('GET', '/v1/workspaces/default/workloadIdentities?pageSize=1000')
        ).json.workloadIdentities
          .map(({ email }: { email: string }) => email)
          .filter((email: string) => email !== deleted.email),
      })

      const impactOf = new Map(
        changes.map(({ email, impact }: { email: string; impact?: never }) => [email, impact]),
      )
      assert.deepEqual(
        [impactOf.get(`brand-new@${IDENTITY_DOMAIN}`), impactOf.get(kept.email)],
        [undefined, undefined],
      )
      for (const { email } of [disabled, deleted]) {
        const impact = impactOf.get(email) as unknown as Parameters<typeof counts>[0]
        assert.deepEqual(counts(impact), [0, 1, 0, 0])
      }
      await world.admin('PATCH', `/v1/workloadIdentities/${deleted.email}`, { state: 'DISABLED' })
      const again = await plan({ workloadIdentities: [wanted(disabled.id, [RULE])], keep: [] })
      const ended = again.changes.find(({ email }: { email: string }) => email === deleted.email)
      assert.equal(Object.hasOwn(ended, 'impact'), false)
    })

    test('tells what its numbers leave out', async () => {
      await begin()
      const { id, email } = await create()
      await exchange(email)
      const body = wanted(id, [PROTECTED], {}, { allowedAudiences: ['https://claimgate.example.com'] })

      const [{ impact }] = (await plan({ workloadIdentities: [body] })).changes

      assert.deepEqual(impact.newlyDenied.count, 0)
      assert.match(impact.notices[0], /^workloadIdentityConfig\.allowedAudiences: is no part of the policy/)
    })

    test('of guardrails is over all identities, and of an identity that changes beside them of both together', async () => {
      await begin()
      const [stays, changes] = [await create(), await create()]
      await exchange(stays.email, OWN_RUNNER)
      await exchange(stays.email)
      await exchange(changes.email, OWN_RUNNER)
      await exchange(changes.email, UNPROTECTED)
      const body = { workloadIdentities: [wanted(changes.id, [PROTECTED])], guardrails: { source: HOSTED } }

      const planned = await plan(body)
      const without = await plan({ ...body, guardrails: { source: HOSTED, withImpact: false } })

      assert.deepEqual(counts(planned.guardrails.impact), [0, 2, 0, 0])
      assert.equal(
        planned.guardrails.impact.newlyDenied.decisions[0].explanation,
        "guardrail 'hosted' is not met",
      )
      assert.deepEqual(counts(planned.changes[0].impact), [0, 2, 0, 0])
      assert.deepEqual(without.changes, planned.changes)
      assert.equal(Object.hasOwn(without.guardrails, 'impact'), false)
      await begin(HOSTED)
      await exchange(changes.email, OWN_RUNNER)
      const removed = await plan({ guardrails: { source: '' } })
      assert.deepEqual(counts(removed.guardrails.impact), [1, 0, 0, 0])
    })

    test('is told to an auditor', async () => {
      await begin()
      const { id } = await create()
      const admin = `admin-${++count}`
      const email = await world.createIdentity([{ ...RULE, roles: ['roles/auditor'] }], { id: admin })
      const { accessToken } = (await exchange(email)).json
      const ask = (query: string) =>
        world.request('POST', `${PLAN}${query}`, {
          body: { workloadIdentities: [wanted(id, [PROTECTED])] },
          headers: { authorization: `Bearer ${accessToken}` },
        })

      const told = await ask('?days=30')

      assert.equal(told.status, 200, told.text)
      assert.equal(told.json.changes[0].impact.replayed, 0)
    })

    test('says of what there was no time for that it was not looked at, not that nothing would change', async () => {
      await begin()
      const { email } = await create()
      const change = { action: 'DELETE', email, notices: [], findings: [] } as const
      const nothing = { policies: new Map(), closed: [email], emails: [] }
      const parts = {
        policies: { loadCode: async () => undefined, findProvider: async () => 'GITLAB' },
        decisions: { listReplayable: async () => [] },
        clock: world.clock,
      }
      const measure = (identitiesMs: number) =>
        measurePlan(
          parts as never,
          async () => undefined,
          {
            plan: {
              ...nothing,
              changes: [change, { ...change, email: 'other@example.com' }],
              closed: [email, 'other@example.com'],
            },
            guardrails: undefined,
            withGuardrails: true,
            days: 30,
            caller: new AbortController().signal,
          },
          { identitiesMs, guardrailsMs: 1, leastEachMs: 1_000 },
        )

      const cut = await measure(0)
      const whole = await measure(20_000)

      assert.deepEqual(
        [...cut.impacts.values()].map(({ isComplete, replayed }) => [isComplete, replayed]),
        [
          [false, 0],
          [false, 0],
        ],
      )
      assert.deepEqual(
        [...whole.impacts.values()].map(({ isComplete }) => isComplete),
        [true, true],
      )
    })
  })
}
