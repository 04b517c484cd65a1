import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { githubClaims } from '../support/github-claims.ts'
import { type Claims, gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const DAY_MS = 86_400_000
const LEAST = 10

type Rule = Readonly<Record<string, unknown>> & { readonly id: string }
type Suggestion = {
  readonly code: string
  readonly rule: string
  readonly fields: readonly string[]
  readonly exchanges: number
  readonly edited: Rule
}

for (const kind of ONE_DATABASE) {
  describe(`suggestions from use on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
    const suggest = (email: string, query = '') =>
      world.admin('GET', `${pathOf(email)}:suggestChanges${query}`)
    const gitlab = (claims: Claims = {}) => gitlabClaims('18.4', claims)
    async function exchange(email: string, claims: Claims, status = 200, sign = world.gitlab.signToken) {
      const answer = await world.exchange(sign(claims), email)
      assert.equal(answer.status, status, answer.text)
    }
    async function exchangeAll(email: string, jobs: readonly Claims[], sign = world.gitlab.signToken) {
      for (const claims of jobs) await exchange(email, claims, 200, sign)
    }
    const times = (count: number, claimsOf: (n: number) => Claims) =>
      Array.from({ length: count }, (_, n) => claimsOf(n))
    const codesOf = (suggestions: readonly Suggestion[]) => suggestions.map(({ code }) => code).toSorted()
    const rulesOf = async (email: string): Promise<readonly Rule[]> =>
      (await world.admin('GET', pathOf(email))).json.workloadIdentityConfig.rules

    /** Makes each suggestion by itself, and all at once, and lets in after each what they were made from. */
    async function holdsToItsWord(
      email: string,
      jobs: readonly Claims[],
      refused: readonly Claims[] = [],
      sign = world.gitlab.signToken,
    ) {
      const { suggestions, patch } = (await suggest(email)).json
      const stored = await rulesOf(email)
      const bodies: object[] = suggestions.map(({ edited }: Suggestion) => ({
        workloadIdentityConfig: { rules: stored.map((rule) => (rule.id === edited.id ? edited : rule)) },
      }))
      for (const body of bodies) {
        const patched = await world.admin('PATCH', pathOf(email), body)
        assert.equal(patched.status, 200, patched.text)
        assert.deepEqual(patched.json.workloadIdentityConfig, {
          ...patched.json.workloadIdentityConfig,
          ...(body as Record<string, object>).workloadIdentityConfig,
        })
        await exchangeAll(email, jobs, sign)
      }
      const restored = await world.admin('PATCH', pathOf(email), {
        workloadIdentityConfig: { rules: stored },
      })
      const stale = await world.admin('PATCH', pathOf(email), patch)
      const all = await world.admin('PATCH', pathOf(email), { ...patch, etag: restored.json.etag })
      assertProblem(stale, 409, 10, /changed/)
      assert.equal(all.status, 200, all.text)
      await exchangeAll(email, jobs, sign)
      for (const claims of refused) await exchange(email, claims, 403, sign)
      return suggestions as readonly Suggestion[]
    }

    test('name all that a wide rule could ask for, each a change that lets in what it was made from', async () => {
      const email = await world.createIdentity([{ id: 'wide', group: 'acme', roles: [] }])
      const jobs = times(LEAST, (n) => gitlab({ environment: 'production', job_id: String(n) }))
      await exchangeAll(email, jobs)

      const { json } = await suggest(email)
      const made = await holdsToItsWord(email, jobs.slice(0, 1), [
        gitlab({ ref: 'other' }),
        gitlab({ project_path: 'acme/web', project_id: '21', environment: 'production' }),
        mergeRequest(gitlab({ ...mergeRequest() })),
        gitlab({ environment: 'staging' }),
        gitlab({ environment: 'production', pipeline_source: 'web' }),
      ])

      assert.deepEqual(json.rules, [
        { rule: 'wide', exchanges: LEAST, sinceTime: new Date(world.clock()).toISOString() },
      ])
      assert.deepEqual(codesOf(made), [
        'no_merge_requests',
        'one_claim_value',
        'one_claim_value',
        'one_project',
        'one_project_id',
        'one_ref',
        'one_source',
        'protected_refs',
      ])
      const [tightened] = json.patch.workloadIdentityConfig.rules
      assert.deepEqual(
        {
          project: tightened.project,
          refs: tightened.refs,
          protectedRefsOnly: tightened.protectedRefsOnly,
          mergeRequests: tightened.mergeRequests,
          pipelineSources: tightened.pipelineSources,
          claims: tightened.claims,
          ids: tightened.ids,
        },
        {
          project: 'app',
          refs: [{ type: 'BRANCH', pattern: 'main' }],
          protectedRefsOnly: true,
          mergeRequests: 'NONE',
          pipelineSources: ['push'],
          claims: { environment: ['production'], runner_environment: ['gitlab-hosted'] },
          ids: { projectIds: ['20'], namespaceIds: [] },
        },
      )
      assert.equal(json.isComplete, true)
      assert.match(
        json.suggestions[0].message,
        /^Each of the last 10 exchanges that met rule 'wide' had project_path/,
      )
    })

    test('name nothing that the rule asks for already, and nothing that took turns', async () => {
      const rule = {
        id: 'narrow',
        group: 'acme',
        project: 'app',
        refs: [{ type: 'BRANCH', pattern: 'main' }],
        pipelineSources: ['push', 'web'],
        claims: { environment: ['production', 'staging'], runner_environment: ['gitlab-hosted'] },
        ids: { projectIds: ['20'], namespaceIds: ['72'] },
      }
      const email = await world.createIdentity([rule])
      const jobs = times(LEAST, (n) =>
        gitlab({
          environment: n % 2 ? 'production' : 'staging',
          pipeline_source: n === 3 ? 'web' : 'push',
        }),
      )
      await exchangeAll(email, jobs)

      const { json } = await suggest(email)

      assert.deepEqual([json.suggestions, json.patch], [[], null])
      assert.equal(json.rules[0].exchanges, LEAST)
    })

    test('narrow lists of which one entry came, and take merge requests for what they are', async () => {
      const rules = [
        {
          id: 'lists',
          group: 'acme',
          project: 'app',
          refs: [
            { type: 'TAG', pattern: 'v*' },
            { type: 'BRANCH', pattern: 'main' },
          ],
          claims: { environment: ['production', 'staging'], runner_environment: ['gitlab-hosted'] },
          ids: { projectIds: ['20', '21'], namespaceIds: ['72'] },
          pipelineSources: ['push'],
        },
        { id: 'reviews', group: 'acme', project: 'web', ids: { projectIds: ['30'], namespaceIds: ['72'] } },
      ]
      const email = await world.createIdentity(rules)
      const tags = times(LEAST, (n) => gitlab({ ref: `v1.${n}`, ref_type: 'tag', environment: 'production' }))
      const reviews = times(LEAST, () =>
        gitlabClaims('15.7', {
          ...mergeRequest(),
          project_path: 'acme/web',
          project_id: '30',
          job_project_id: '30',
        }),
      )
      await exchangeAll(email, [...tags, ...reviews])

      const made = await holdsToItsWord(
        email,
        [...tags.slice(0, 2), ...reviews.slice(0, 1)],
        [gitlab({ environment: 'production' }), gitlab({ project_path: 'acme/web', project_id: '30' })],
      )

      assert.deepEqual(
        made.map(({ rule, fields }) => [rule, fields.join()]),
        [
          ['lists', 'refs'],
          ['lists', 'ids.projectIds'],
          ['lists', 'claims.environment'],
          ['reviews', 'claims.pipeline_source'],
        ],
      )
    })

    test('work for GitHub by its own claims', async () => {
      const email = await world.createIdentity([{ id: 'wide', group: 'acme' }], {
        config: {
          providerType: 'GITHUB',
          issuerUrl: world.github.issuerUrl,
          allowedAudiences: ['https://claimgate.example.com'],
        },
      })
      const jobs = times(LEAST, () =>
        githubClaims({ environment: 'production', aud: 'https://claimgate.example.com' }),
      )
      await exchangeAll(email, jobs, world.github.signToken)

      const made = await holdsToItsWord(
        email,
        jobs.slice(0, 1),
        [githubClaims({ ...jobs[0], repository: 'acme/web' })],
        world.github.signToken,
      )

      assert.deepEqual(
        made.map(({ fields }) => fields.join()),
        [
          'project',
          'protectedRefsOnly',
          'refs',
          'pipelineSources',
          'ids.projectIds',
          'ids.namespaceIds',
          'claims.environment',
          'claims.runner_environment',
        ],
      )
    })

    test('need evidence: of fewer exchanges nothing is suggested, nor of what was refused or explained', async () => {
      const email = await world.createIdentity([{ id: 'wide', group: 'acme' }])
      await exchangeAll(
        email,
        times(LEAST - 1, () => gitlab()),
      )
      for (let n = 0; n < 3; n++) {
        const body = { token: world.gitlab.signToken(gitlab()), email }
        await world.request('POST', '/v1/auth:explainToken', { body })
        await exchange(email, gitlab({ ref_type: 'merge' }), 403)
      }

      const little = (await suggest(email)).json
      await exchange(email, gitlab())
      const enough = (await suggest(email)).json

      assert.equal(little.leastExchanges, LEAST)
      assert.deepEqual([little.rules[0].exchanges, little.suggestions], [LEAST - 1, []])
      assert.equal(enough.suggestions.length > 0, true)
    })

    test('look at the last exchanges alone, as many as are asked for, that the rule still lets in', async () => {
      const email = await world.createIdentity([{ id: 'wide', group: 'acme' }])
      await exchangeAll(
        email,
        times(3, () => gitlab({ environment: 'old' })),
      )
      world.clock.advance(60_000)
      await exchangeAll(
        email,
        times(LEAST, () => gitlab({ environment: 'new' })),
      )
      const ofEnvironment = (suggestions: readonly Suggestion[]) =>
        suggestions.filter(({ fields }) => fields.includes('claims.environment'))

      const all = (await suggest(email)).json
      const last = (await suggest(email, `?exchanges=${LEAST}`)).json
      await world.admin('PATCH', pathOf(email), {
        workloadIdentityConfig: {
          rules: [{ id: 'wide', group: 'acme', claims: { environment: ['new', 'newer'] } }],
        },
      })
      const changed = (await suggest(email)).json

      assert.equal(all.rules[0].exchanges, LEAST + 3)
      assert.deepEqual(ofEnvironment(all.suggestions), [])
      assert.equal(last.rules[0].exchanges, LEAST)
      assert.equal(ofEnvironment(last.suggestions).length, 1)
      assert.equal(changed.rules[0].exchanges, LEAST)
      assert.equal(ofEnvironment(changed.suggestions).length, 1)
    })

    test('leave what a stored test says must come in, and what no rule may say', async () => {
      const tests = [
        { title: 'Staging deploys', claims: gitlab({ environment: 'staging' }), expect: 'ALLOWED' },
      ]
      const email = await world.createIdentity([{ id: 'wide', group: 'acme' }], { identity: { tests } })
      const jobs = times(LEAST, () => gitlab({ environment: 'production', ref: 'odd{1}' }))
      await exchangeAll(email, jobs)

      const made = await holdsToItsWord(email, jobs.slice(0, 1))

      const fields = made.flatMap((suggestion) => suggestion.fields)
      assert.deepEqual(
        [fields.includes('claims.environment'), fields.includes('refs'), fields.includes('project')],
        [false, false, true],
      )
    })

    test('all at once leave what a stored test says must come in by either of two rules', async () => {
      const rule = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
      const sources = { pipelineSources: ['push', 'schedule'] }
      const tests = [
        { title: 'The nightly job', claims: gitlab({ pipeline_source: 'schedule' }), expect: 'ALLOWED' },
      ]
      const rules = ['a', 'b'].map((id) => ({ ...rule, ...sources, id }))
      const email = await world.createIdentity(rules, { identity: { tests } })
      const jobs = times(LEAST, (n) => gitlab({ job_id: String(n) }))
      await exchangeAll(email, jobs)

      const made = await holdsToItsWord(email, jobs.slice(0, 1))

      const ofSources = made.filter(({ code }) => code === 'one_source').map(({ rule: id }) => id)
      assert.deepEqual(ofSources, ['a', 'b'])
    })

    test('name rules that let nobody in for 90 days, once they are that old', async () => {
      const rules = ['app', 'web', 'api'].map((project) => ({ id: project, group: 'acme', project }))
      const email = await world.createIdentity([...rules, { ...rules[2], id: 'off', disabled: true }])
      const of = (project: string) =>
        gitlab({ project_path: `acme/${project}`, project_id: '20', job_project_id: '20' })
      await exchangeAll(email, [of('app'), of('web')])
      world.clock.advance(89 * DAY_MS)
      const young = (await suggest(email)).json
      await exchange(email, of('app'))
      await exchange(email, gitlab({ project_path: 'acme/api', ref_type: 'x' }), 403)
      world.clock.advance(2 * DAY_MS)
      await world.admin('PATCH', pathOf(email), {
        workloadIdentityConfig: { rules: [...rules, { id: 'new', group: 'acme', project: 'new' }] },
      })

      const old = (await suggest(email)).json

      assert.deepEqual(young.unused.rules, [])
      assert.equal(old.unused.decisionsKept, true)
      assert.equal(old.unused.sinceTime, new Date(world.clock() - 90 * DAY_MS).toISOString())
      assert.deepEqual(
        old.unused.rules.map(({ rule }: { rule: string }) => rule),
        ['web', 'api'],
      )
    })

    test('are refused for an identity that is not there or deleted, and for odd numbers', async () => {
      const email = await world.createIdentity([{ id: 'wide', group: 'acme' }])
      const odd = ['0', '9', '5001', '1e3', '-5', 'all']

      const refused = await Promise.all(odd.map((number) => suggest(email, `?exchanges=${number}`)))
      const unknown = await suggest('nobody@workload.example.com')
      await world.admin('DELETE', pathOf(email))
      const deleted = await suggest(email)

      for (const answer of refused) assertProblem(answer, 400, 3, /exchanges must be a whole number from 10/)
      assertProblem(unknown, 404, 5, /no such/)
      assertProblem(deleted, 400, 9, /deleted/)
    })
  })
}
