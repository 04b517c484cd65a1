import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, verdictOf } from '../support/answers.ts'
import { githubClaims } from '../support/github-claims.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'
import { assertComesTo, outcomeOf } from './claims-outcome.ts'
import { ROWS, RULES } from './github-claims-rows.ts'

for (const kind of ONE_DATABASE) {
  describe(`what GitHub's claims come to on ${kind}`, () => {
    let world: World
    const emails = new Map<string, string>()

    before(async () => {
      world = await startWorld(kind)
      // One after the other: at once, the last would wait for so many compilations that its answer comes too late.
      for (const [name, { rule }] of Object.entries(RULES))
        emails.set(name, await createIdentity([{ id: 'the-rule', ...rule }]))
    })
    after(() => world?.close())

    function createIdentity(rules: readonly object[], more: { identity?: object; config?: object } = {}) {
      const config = { providerType: 'GITHUB', issuerUrl: world.github.issuerUrl, ...more.config }
      return world.createIdentity(rules, { ...more, config })
    }

    function tokenOf(claims: Claims): string {
      return world.github.signToken({ aud: world.github.issuerUrl, ...githubClaims(claims) })
    }

    for (const [name, claims, expected, { rule = 'app', says } = {}] of ROWS) {
      test(`${name}${rule === 'app' ? '' : ` (rule: ${rule})`}: ${outcomeOf(expected)}`, async () => {
        const email = emails.get(rule) ?? ''

        const answer = await world.exchange(tokenOf(claims), email)

        assertComesTo(expected, answer, await world.lastDecision(email))
        if (says !== undefined) assert.match(answer.json.message, says)
        const { good } = RULES[rule]
        const next = good && (await world.exchange(tokenOf(good), email))
        assert.equal(next?.status, good && 200, next?.text)
      })
    }

    test('every condition is always present, and those of the ids and claims where the rule has them', async () => {
      const always = ['fork', 'group', 'merge_request', 'pipeline_source', 'project', 'protected_ref', 'ref']
      const codesOf = async (rule: keyof typeof RULES) => {
        const email = emails.get(rule) ?? ''
        await world.exchange(tokenOf({}), email)
        return Object.keys(verdictOf(await world.lastDecision(email)).rules[0]?.conditions ?? {}).sort()
      }

      assert.deepEqual(await codesOf('app'), always)
      assert.deepEqual(await codesOf('pinned repository'), [...always, 'project_id'].sort())
      assert.deepEqual(await codesOf('pinned owner'), [...always, 'namespace_id'].sort())
      assert.deepEqual(await codesOf('environment'), ['claim:environment', ...always])
    })

    test("the access token says where it comes from in the same words as for a GitLab job, and nobody's name", async () => {
      const email = emails.get('environment') ?? ''
      const { json } = await world.exchange(tokenOf({ environment: 'live' }), email)

      const { workload } = JSON.parse(Buffer.from(json.accessToken.split('.')[1], 'base64url').toString())

      assert.deepEqual(workload, {
        provider: 'GITHUB',
        project_id: '20',
        project_path: 'acme/app',
        namespace_path: 'acme',
        ref_path: 'refs/heads/main',
        ref_type: 'branch',
        pipeline_source: 'push',
        pipeline_id: '574',
        job_id: '302',
        environment: 'live',
        sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
        run_attempt: '1',
        workflow_ref: 'acme/app/.github/workflows/deploy.yml@refs/heads/main',
        job_workflow_ref: 'acme/app/.github/workflows/deploy.yml@refs/heads/main',
      })
    })

    test('who started the job is recorded only where the identity lists it, and can then be a condition', async () => {
      const rules = [{ group: 'acme', claims: { actor: ['sample-user'] } }]
      const email = await createIdentity(rules, { identity: { recordedClaims: ['actor'] } })

      const answer = await world.exchange(tokenOf({}), email)

      assert.equal(answer.status, 200, answer.text)
      const claimsOf = async (of: string) => (await world.lastDecision(of)).claims as Claims
      assert.equal((await claimsOf(email)).actor, 'sample-user')
      assert.equal('actor' in (await claimsOf(emails.get('app') ?? '')), false)
      assert.equal((await claimsOf(emails.get('app') ?? '')).repository, 'acme/app')
    })

    test('an outsider is shown what the own token says, under its own names', async () => {
      const answer = await world.exchange(tokenOf({ repository: 'evil/app' }), emails.get('app') ?? '')

      assert.deepEqual(answer.json.details[0].token, {
        repository: 'evil/app',
        ref: 'refs/heads/main',
        event_name: 'push',
        aud: world.github.issuerUrl,
      })
    })

    test("GitHub's own audience is refused with how to ask for ours, unless it is listed", async () => {
      const token = () => world.github.signToken(githubClaims())
      const listed = await createIdentity([{ group: 'acme' }], {
        config: { allowedAudiences: ['https://github.com/acme'] },
      })

      const refused = await world.exchange(token(), emails.get('app') ?? '')
      const allowed = await world.exchange(token(), listed)

      assertProblem(refused, 403, 7, /aud is 'https:\/\/github\.com\/acme', .*core\.getIDToken/)
      assert.equal(refused.json.details[0].reason, 'token_audience')
      assert.equal(allowed.status, 200, allowed.text)
    })

    test('a token is good for five minutes', async () => {
      const email = emails.get('app') ?? ''
      const [early, late] = [tokenOf({}), tokenOf({})]

      world.clock.advance(299_000)
      const inTime = await world.exchange(early, email)
      world.clock.advance(61_000)
      const tooLate = await world.exchange(late, email)

      assert.equal(inTime.status, 200, inTime.text)
      assert.equal(tooLate.json.details[0].reason, 'token_expired')
      assert.equal(tooLate.json.details[0].token.repository, 'acme/app')
    })

    test('decisions are found by the repository, in any case', async () => {
      await world.exchange(tokenOf({ repository: 'acme/Found-Me' }), emails.get('owner') ?? '')

      const found = await world.admin('GET', '/v1/decisions?project=ACME/found-me')

      assert.equal(found.json.decisions.length, 1)
    })

    describe('an identity and its issuer are of one provider', () => {
      const create = (id: string, config: object) =>
        world.admin('POST', `/v1/workspaces/default/workloadIdentities?workloadIdentityId=${id}`, {
          workloadIdentityConfig: { rules: [{ group: 'acme' }], ...config },
        })

      test('at a create', async () => {
        const issuerUrl = world.github.issuerUrl
        await createIdentity([{ group: 'acme' }])

        const refused = await create('mixed', { providerType: 'GITLAB', issuerUrl })

        assertProblem(refused, 400, 3, /providerType must be GITHUB, as that of issuers\/\S+ is/)
      })

      test("which that of GitHub's own service always is", async () => {
        const issuerUrl = 'https://token.actions.githubusercontent.com'
        const enterprise = `${issuerUrl}/acme`
        const register = (url: string, providerType: string) =>
          world.admin('POST', '/v1/issuers?issuerId=actions', { issuerUrl: url, providerType })

        assertProblem(await create('own', { providerType: 'GITLAB', issuerUrl }), 400, 3, /must be GITHUB/)
        assertProblem(await register(issuerUrl, 'GITLAB'), 400, 3, /^providerType must be GITHUB/)
        assertProblem(await register(enterprise, 'GITLAB'), 400, 3, /^providerType must be GITHUB/)
        const upper = issuerUrl.replace('token', 'TOKEN')
        assertProblem(await register(upper, 'GITLAB'), 400, 3, /^providerType must be GITHUB/)
        assertProblem(
          await create('upper', { providerType: 'GITLAB', issuerUrl: upper }),
          400,
          3,
          /must be GITHUB/,
        )
        assertProblem(await register('https://gitlab.com', 'GITHUB'), 400, 3, /must be GITLAB/)
        assert.equal((await register(`${issuerUrl}.example.com`, 'GITLAB')).status, 200)
      })

      test('at a change', async () => {
        const email = await createIdentity([{ group: 'acme' }])
        await world.createIdentity([{ group: 'acme' }])
        const path = `/v1/workloadIdentities/${email}`
        const change = (config: object) => world.admin('PATCH', path, { workloadIdentityConfig: config })

        assertProblem(await change({ providerType: 'GITLAB' }), 400, 3, /must be GITHUB/)
        assertProblem(await change({ issuerUrl: world.gitlab.issuerUrl }), 400, 3, /must be GITLAB/)
      })

      test('and both can be changed at once, which makes the policy anew', async () => {
        const { issuerUrl } = world.gitlab
        const email = await createIdentity([{ group: 'acme' }])
        const before = (await world.admin('GET', `/v1/workloadIdentities/${email}`)).json.policyDigest

        const changed = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, {
          workloadIdentityConfig: { providerType: 'GITLAB', issuerUrl, allowedAudiences: [issuerUrl] },
        })

        assert.equal(changed.status, 200, changed.text)
        assert.notEqual(changed.json.policyDigest, before)
        const gitlab = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
        assert.equal(gitlab.status, 200, gitlab.text)
        assert.equal((await world.exchange(tokenOf({}), email)).status, 401)
      })
    })

    test('a token of GitHub says nothing to an identity of GitLab, nor to none at all', async () => {
      const gitlab = await world.createIdentity([{ group: 'acme' }])

      for (const email of [gitlab, gitlab.replace('@', 'x@')]) {
        const answer = await world.exchange(tokenOf({ repository: 'acme/app' }), email)

        assertProblem(answer, 401, 16, 'Token exchange denied.')
        assert.deepEqual(Object.keys(answer.json.details[0]), ['decisionId', 'token'])
      }
    })
  })
}
