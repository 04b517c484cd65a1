import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { type Answer, IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const PLAN = '/v1/workspaces/default:planPolicies'
const APPLY = '/v1/workspaces/default:applyPolicies'
const AGENT = 'roles/gitopsServiceAgent'
const EMAIL = `a@${IDENTITY_DOMAIN}`

const SOURCE = `package claimgate.guardrails

required := {"hosted": "Only hosted runners."}

met contains "hosted" if input.claims.runner_environment == "gitlab-hosted"
`
const TESTS = [
  { title: 'own', claims: { runner_environment: 'self-hosted' }, expect: 'DENIED', reason: 'hosted' },
]
const GUARDRAILS = { source: SOURCE, tests: TESTS }

for (const kind of ONE_DATABASE) {
  describe(`guardrails planned and applied with identities, on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())
    afterEach(async () => {
      await world.admin('DELETE', `/v1/workloadIdentities/${EMAIL}`)
      await world.admin('PUT', '/v1/guardrails', { source: '' })
    })

    const identity = (more: Record<string, unknown> = {}) =>
      identityBody(world.gitlab.issuerUrl, { rules: [{ id: 'ci', group: 'acme', roles: [AGENT] }] }, more)
    const wanted = (more: Record<string, unknown> = {}) => ({
      workloadIdentityId: 'a',
      workloadIdentity: identity(more),
    })
    const creation = (more: Record<string, unknown> = {}) => ({
      action: 'CREATE',
      email: EMAIL,
      workloadIdentity: identity(more),
    })
    const plan = (guardrails: object | undefined, ...workloadIdentities: readonly object[]) =>
      world.admin('POST', PLAN, { workloadIdentities, ...(guardrails && { guardrails }) })
    const apply = (guardrails: object, changes: readonly object[] = [], query = '', more: object = {}) =>
      world.admin('POST', `${APPLY}${query}`, { changes, guardrails, ...more })
    const current = async () => (await world.admin('GET', '/v1/guardrails')).json
    const versions = async () => (await world.admin('GET', '/v1/guardrails/versions')).json.versions
    const etag = async () => (await current()).etag
    const sign = (claims: Record<string, unknown> = {}) =>
      world.gitlab.signToken(gitlabClaims('18.4', claims))

    /** The answer refuses, and neither the guardrails nor the identity are others than before. */
    async function changesNothing(act: () => Promise<Answer>): Promise<Answer> {
      const state = async () => [
        await current(),
        (await versions()).length,
        (await world.admin('GET', `/v1/workloadIdentities/${EMAIL}`)).json.etag,
      ]
      const earlier = await state()
      const answer = await act()
      assert.deepEqual(await state(), earlier)
      return answer
    }

    test('a plan says what there is and what there would be, and an apply of it does that', async () => {
      const planned = await changesNothing(() => plan(GUARDRAILS, wanted()))
      const { guardrails } = planned.json
      const applied = await apply(
        { ...guardrails.after, etag: guardrails.etag },
        [creation()],
        '?reason=Now.',
      )
      const again = await plan(GUARDRAILS, wanted())
      const [version] = await versions()
      const other = await world.exchange(sign({ runner_environment: 'self-hosted' }), EMAIL)
      const hosted = await world.exchange(sign({ runner_environment: 'gitlab-hosted' }), EMAIL)

      assert.equal(planned.status, 200, planned.text)
      const { impact, ...said } = guardrails
      assert.equal(impact.replayed, 0)
      assert.deepEqual(said, {
        etag: guardrails.etag,
        before: { source: '', tests: [] },
        after: GUARDRAILS,
      })
      assert.equal(applied.status, 200, applied.text)
      assert.equal(applied.json.workloadIdentities[0].email, EMAIL)
      assert.deepEqual(applied.json.guardrails, await current())
      assert.deepEqual([applied.json.guardrails.source, applied.json.guardrails.tests], [SOURCE, TESTS])
      assert.deepEqual([version.author, version.reason], ['adminTokens/first', 'Now.'])
      assert.deepEqual(again.json, { changes: [], emails: [EMAIL] })
      assert.equal(other.status, 403, other.text)
      assert.equal(hosted.status, 200, hosted.text)
    })

    test('they are left alone where nothing is said of them, and removed by an empty source', async () => {
      await apply({ ...GUARDRAILS, etag: await etag() })

      const silent = await plan(undefined, wanted())
      const earlier = await current()
      const applied = await world.admin('POST', APPLY, { changes: [creation()] })
      const later = await current()
      const removal = (await plan({ source: '', tests: TESTS })).json.guardrails
      const removed = await apply({ ...removal.after, etag: removal.etag })

      assert.equal(Object.hasOwn(silent.json, 'guardrails'), false)
      assert.equal(applied.status, 200, applied.text)
      assert.equal(Object.hasOwn(applied.json, 'guardrails'), false)
      assert.deepEqual(later, earlier)
      assert.deepEqual(removal.after, { source: '', tests: [] })
      assert.equal(removed.status, 200, removed.text)
      assert.equal((await current()).digest, null)
    })

    test('an apply says how many of their stored tests it removes', async () => {
      await apply({ ...GUARDRAILS, etag: await etag() })

      const applied = await apply({ source: SOURCE, tests: [], etag: await etag() })

      assert.deepEqual(applied.json.guardrails.notices, [
        'tests: 1 of 1 stored tests are removed, as a save replaces all of them',
      ])
    })

    test('what is only validated changes nothing', async () => {
      const answer = await changesNothing(async () =>
        apply({ ...GUARDRAILS, etag: await etag() }, [creation()], '', { validateOnly: true }),
      )

      assert.deepEqual(answer.json, { workloadIdentities: [], deleted: [] })
    })

    test('an identity is tested beside the guardrails that it is saved with', async () => {
      const claims = gitlabClaims('18.4', { runner_environment: 'self-hosted' })
      const tests = [{ title: 'ours', claims, expect: 'ALLOWED' }]

      const planned = await plan(GUARDRAILS, wanted({ tests }))
      const refused = await changesNothing(async () =>
        apply({ ...GUARDRAILS, etag: await etag() }, [creation({ tests })]),
      )
      await apply({ ...GUARDRAILS, etag: await etag() })
      const lifted = await apply({ source: '', etag: await etag() }, [creation({ tests })])

      assertProblem(planned, 400, 3, /^a@.*Test 'ours' expects ALLOWED.*guardrail 'hosted' is not met/)
      assertProblem(refused, 400, 3, /^a@.*Test 'ours' expects ALLOWED/)
      assert.equal(lifted.status, 200, lifted.text)
    })

    describe('nothing at all is changed where', () => {
      for (const [reason, guardrails, told, named] of [
        [
          'their Rego is wrong',
          { source: SOURCE.replace('if input', 'input') },
          /guardrails\.rego/,
          'guardrails.rego',
        ],
        [
          'a test of theirs fails',
          { source: SOURCE, tests: [{ ...TESTS[0], expect: 'ALLOWED' }] },
          /Test 'own' expects ALLOWED/,
          'own',
        ],
      ] as const) {
        test(reason, async () => {
          const planned = await changesNothing(() => plan(guardrails, wanted()))
          const applied = await changesNothing(async () =>
            apply({ ...guardrails, etag: await etag() }, [creation()]),
          )

          for (const answer of [planned, applied]) {
            assertProblem(answer, 400, 3, told)
            const [{ problems, tests }] = answer.json.details
            assert.equal(problems?.[0].file ?? tests?.[0].title, named)
          }
        })
      }

      test('they were changed meanwhile', async () => {
        const planned = (await plan(GUARDRAILS, wanted())).json.guardrails
        await world.admin('PUT', '/v1/guardrails', { source: `# Ours.\n${SOURCE}` })

        const answer = await changesNothing(() =>
          apply({ ...planned.after, etag: planned.etag }, [creation()]),
        )

        assertProblem(answer, 409, 10, /not what the change was planned for: guardrails\. Plan again/)
        assert.deepEqual(answer.json.details, [{ stale: ['guardrails'] }])
      })

      test('an identity was changed meanwhile', async () => {
        await world.admin(
          'POST',
          `/v1/workspaces/default/workloadIdentities?workloadIdentityId=a`,
          identity(),
        )

        const answer = await changesNothing(async () =>
          apply({ ...GUARDRAILS, etag: await etag() }, [creation()]),
        )

        assert.deepEqual(answer.json.details, [{ stale: [EMAIL] }])
      })

      test('they have no etag, or there is no change at all', async () => {
        const withoutEtag = await changesNothing(() => apply(GUARDRAILS, [creation()]))
        const nothing = await changesNothing(() => world.admin('POST', APPLY, { changes: [] }))

        assertProblem(withoutEtag, 400, 3, /guardrails\.etag/)
        assertProblem(nothing, 400, 3, /changes must have at least 1 change/)
      })
    })

    test('who reads may plan them, and only who writes may apply them', async () => {
      const tokenOf = async (role: string) => {
        const email = await world.createIdentity([{ id: 'ci', group: 'acme', roles: [role] }])
        return (await world.exchange(sign(), email)).json.accessToken
      }
      const as = async (role: string, path: string, body: object) =>
        world.request('POST', path, { body, headers: { authorization: `Bearer ${await tokenOf(role)}` } })
      const change = { ...GUARDRAILS, etag: await etag() }

      const planned = await as('roles/auditor', PLAN, { workloadIdentities: [], guardrails: GUARDRAILS })
      const refused = await as('roles/auditor', APPLY, { changes: [], guardrails: change })
      const applied = await as('roles/policyAuthor', APPLY, { changes: [], guardrails: change })
      const [version] = await versions()

      assert.equal(planned.status, 200, planned.text)
      assert.equal(refused.status, 403, refused.text)
      assert.equal(applied.status, 200, applied.text)
      assert.match(version.author, /^workloadIdentities\//)
    })
  })
}
