import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const AGENT = 'roles/gitopsServiceAgent'
const AUDITOR = 'roles/auditor'
const ADMIN = 'roles/workspaceAdmin'
const DEPLOY = { id: 'deploy', group: 'acme', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const REVIEW = { id: 'review', group: 'acme' }

for (const kind of DATABASES) {
  describe(`the members of a project on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([DEPLOY, REVIEW], { id: 'ci' })
    })
    after(() => world?.close())

    let made = 0
    async function newProject(): Promise<string> {
      const id = `p-${++made}`
      await world.admin('POST', `/v1/projects?projectId=${id}`, {})
      return id
    }
    const read = (project: string) => world.admin('GET', `/v1/projects/${project}:getIamPolicy`)
    const set = (project: string, policy: unknown, headers: Record<string, string> = {}) =>
      world.request('POST', `/v1/projects/${project}:setIamPolicy`, {
        body: { policy },
        headers: { authorization: `Bearer ${world.adminToken}`, ...headers },
      })
    const giving = (role: string, ...members: readonly string[]) => ({ bindings: [{ role, members }] })
    const member = (of: string, rule?: string) =>
      `workloadIdentity:${of}${rule === undefined ? '' : `#${rule}`}`
    const MAIN = { ref: 'main', ref_path: 'refs/heads/main', ref_protected: 'true' }
    const BRANCH = { ref: 'x', ref_path: 'refs/heads/x', ref_protected: 'false' }
    async function signIn(of: string, claims: Readonly<Record<string, unknown>> = MAIN): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), of)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const me = (token: string) =>
      world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${token}` } })
    const projectsOf = async (token: string) => (await me(token)).json.projects

    test('are none of a new project, and read back as they were set: sorted, each once', async () => {
      const project = await newProject()
      const before = await read(project)

      const answer = await set(project, {
        bindings: [
          { role: AUDITOR, members: [member(email, 'review'), member(email)] },
          { role: AGENT, members: [] },
          { role: AUDITOR, members: [member(email)] },
        ],
        etag: before.json.etag,
      })

      assert.deepEqual(before.json.bindings, [])
      assert.equal(answer.status, 200, answer.text)
      assertSafeHeaders(answer)
      const { notices: _, ...policy } = answer.json
      assert.deepEqual(policy.bindings, [
        { role: AUDITOR, members: [member(email), member(email, 'review')] },
      ])
      assert.notEqual(policy.etag, before.json.etag)
      assert.equal(answer.headers.get('etag'), `"${policy.etag}"`)
      assert.deepEqual((await read(project)).json, policy)
      assertProblem(await read('none'), 404, 5, /no such project/)
      assertProblem(await set('none', { bindings: [] }), 404, 5, /no such project/)
    })

    test('keep their etag where nothing changes, and are given back as they were answered', async () => {
      const project = await newProject()
      const { json } = await set(project, giving(AGENT, member(email)))

      const again = await set(project, json)

      assert.equal(again.json.etag, json.etag)
      assert.deepEqual(again.json.notices, [])
    })

    test('are apart from the project: neither changes the other’s etag', async () => {
      const project = await newProject()
      const path = `/v1/projects/${project}`
      const { json: before } = await world.admin('GET', path)

      const { json } = await set(project, giving(AGENT, member(email)))
      await world.admin('PATCH', path, { title: 'Another', etag: before.etag })

      assert.equal((await set(project, { ...giving(AGENT), etag: json.etag })).status, 200)
    })

    test('a stale etag changes nothing, in the body or the header', async () => {
      const project = await newProject()
      const { json: stale } = await read(project)
      await set(project, giving(AGENT, member(email)))

      const answers = [
        await set(project, { bindings: [], etag: stale.etag }),
        await set(project, { bindings: [] }, { 'if-match': `"${stale.etag}"` }),
      ]

      for (const answer of answers) assertProblem(answer, 409, 10, /etag/)
      assert.equal((await read(project)).json.bindings.length, 1)
    })

    test('of changes with one etag at the same time one is made', async () => {
      const project = await newProject()
      const { etag } = (await read(project)).json

      const answers = await Promise.all(
        [AGENT, AUDITOR, ADMIN].map((role) => set(project, { ...giving(role, member(email)), etag })),
      )

      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409])
    })

    const REFUSED: readonly (readonly [name: string, policy: () => unknown, names: RegExp])[] = [
      [
        'an unknown role',
        () => giving('roles/gitopsServiceAgnt', member(email)),
        /bindings\[0\]\.role .*nearest is 'roles\/gitopsServiceAgent'/,
      ],
      [
        'an unknown role without members',
        () => giving('roles/none'),
        /bindings\[0\]\.role 'roles\/none' is not a role/,
      ],
      ['a role without its prefix', () => giving('auditor', member(email)), /nearest is 'roles\/auditor'/],
      [
        'an unknown identity',
        () => giving(AGENT, member(`none@${IDENTITY_DOMAIN}`)),
        /members\[0\] names .*no such workload identity/,
      ],
      [
        'an identity in other letters',
        () => giving(AGENT, member(email.toUpperCase())),
        /no such workload identity/,
      ],
      [
        'an unknown rule',
        () => giving(AGENT, member(email), member(email, 'deplyo')),
        /members\[1\] names the rule 'deplyo'.*'deploy' or 'review'/,
      ],
      ['an empty rule', () => giving(AGENT, `${member(email)}#`), /members\[0\] must be/],
      ['a member without its kind', () => giving(AGENT, email), /must be 'workloadIdentity:EMAIL'/],
      ['a person', () => giving(AGENT, 'user:jane@example.com'), /must be 'workloadIdentity:EMAIL'/],
      ['everybody', () => giving(AGENT, 'allUsers'), /must be 'workloadIdentity:EMAIL'/],
      [
        'what was never a member as deleted',
        () => giving(AGENT, `deleted:${member(email)}`),
        /members\[0\] says deleted:/,
      ],
      [
        'a condition',
        () => ({ bindings: [{ role: AGENT, members: [], condition: {} }] }),
        /condition is not a field/,
      ],
      ['an unknown field', () => ({ bindings: [], version: 3 }), /version is not a field/],
      [
        'members that are no list',
        () => ({ bindings: [{ role: AGENT, members: 'x' }] }),
        /bindings\[0\]\.members/,
      ],
      ['a binding without a role', () => ({ bindings: [{ members: [] }] }), /bindings\[0\]\.role/],
      [
        'too many members',
        () => ({ bindings: [1, 2].map(() => ({ role: AGENT, members: Array(800).fill(member(email)) })) }),
        /at most 1500/,
      ],
      ['no policy', () => undefined, /policy/],
      ['a policy without bindings', () => ({}), /policy\.bindings is required/],
    ]
    for (const [name, policy, names] of REFUSED) {
      test(`${name} is refused by name, and nothing of the rest is set`, async () => {
        const project = await newProject()
        const { json } = await set(project, giving(AUDITOR, member(email)))

        assertProblem(await set(project, policy()), 400, 3, names)

        assert.equal((await read(project)).json.etag, json.etag)
      })
    }

    test('a rule’s member is one only by a token that met this rule, and a plain one by any', async () => {
      const project = await newProject()
      const of = await world.createIdentity([DEPLOY, REVIEW])
      await set(project, {
        bindings: [
          { role: AGENT, members: [member(of, 'deploy')] },
          { role: AUDITOR, members: [member(of)] },
        ],
      })
      const name = `projects/${project}`

      const main = await projectsOf(await signIn(of, MAIN))
      const branch = await projectsOf(await signIn(of, BRANCH))
      await set(project, { bindings: [] })

      assert.deepEqual(main, [{ name, roles: [AUDITOR, AGENT] }])
      assert.deepEqual(branch, [{ name, roles: [AUDITOR] }])
    })

    test('a membership counts, and stops, for tokens that are out already', async () => {
      const [project, other] = [await newProject(), await newProject()]
      const of = await world.createIdentity([DEPLOY])
      const token = await signIn(of)

      const before = await projectsOf(token)
      for (const id of [project, other]) await set(id, giving(AGENT, member(of)))
      const given = await projectsOf(token)
      await world.admin('DELETE', `/v1/projects/${other}`)
      const deleted = await projectsOf(token)
      await set(project, { bindings: [] })
      const taken = await projectsOf(token)

      assert.deepEqual(before, [])
      assert.deepEqual(
        given.map(({ name }: { name: string }) => name),
        [`projects/${project}`, `projects/${other}`].sort(),
      )
      assert.deepEqual(deleted, [{ name: `projects/${project}`, roles: [AGENT] }])
      assert.deepEqual(taken, [])
    })

    test('a rule that is disabled makes nobody a member, though its token is out', async () => {
      const project = await newProject()
      const other = { ...DEPLOY, id: 'other' }
      const of = await world.createIdentity([DEPLOY, other])
      await set(project, giving(AGENT, member(of, 'deploy')))
      const token = await signIn(of)
      assert.equal((await projectsOf(token)).length, 1)

      await world.admin('PATCH', `/v1/workloadIdentities/${of}`, {
        workloadIdentityConfig: { rules: [{ ...DEPLOY, disabled: true }, other] },
      })

      assert.deepEqual(await projectsOf(token), [])
    })

    test('an identity of a project shows it with its rules’ roles and its memberships, and others beside', async () => {
      const [own = '', other = ''] = [await newProject(), await newProject()].sort()
      const created = await world.admin(
        'POST',
        `/v1/projects/${own}/workloadIdentities?workloadIdentityId=ci`,
        {
          workloadIdentityConfig: {
            providerType: 'GITLAB',
            issuerUrl: world.gitlab.issuerUrl,
            rules: [{ ...DEPLOY, roles: [AUDITOR] }],
          },
        },
      )
      const of: string = created.json.email
      await set(own, giving(AGENT, member(of)))
      await set(other, giving(AGENT, member(of, 'deploy')))

      const { json } = await me(await signIn(of))

      assert.deepEqual(json.roles, [])
      assert.deepEqual(json.projects, [
        { name: `projects/${own}`, roles: [AUDITOR, AGENT] },
        { name: `projects/${other}`, roles: [AGENT] },
      ])
    })

    describe('whoever gets the email of a deleted identity', () => {
      const remove = (of: string) => world.admin('DELETE', `/v1/workloadIdentities/${of}`)

      test('is a member of nothing that the deleted one was', async () => {
        const project = await newProject()
        const of = await world.createIdentity([DEPLOY], { id: 'heir' })
        await set(project, giving(AGENT, member(of), member(of, 'deploy')))
        await remove(of)
        await world.createIdentity([DEPLOY], { id: 'heir' })

        assert.deepEqual(await projectsOf(await signIn(of)), [])
        assert.deepEqual((await read(project)).json.bindings, [])
        const { json } = await set(project, giving(AGENT, member(of)))
        assert.deepEqual(json.bindings, [{ role: AGENT, members: [member(of)] }])
        assert.equal((await projectsOf(await signIn(of))).length, 1)
      })

      test('a deleted member is shown as deleted, stays where it is, is taken out, and is back undeleted', async () => {
        const [kept, taken] = [await newProject(), await newProject()]
        const of = await world.createIdentity([DEPLOY])
        for (const project of [kept, taken]) await set(project, giving(AGENT, member(of, 'deploy')))
        await remove(of)
        const deleted = `deleted:${member(of, 'deploy')}`

        const shown = await read(kept)
        const same = await set(kept, shown.json)
        const beside = await set(kept, {
          bindings: [
            { role: AGENT, members: [deleted] },
            { role: AUDITOR, members: [member(email)] },
          ],
        })
        const asLiving = await set(kept, giving(AGENT, member(of, 'deploy')))
        const elsewhere = await set(kept, giving(AUDITOR, deleted))
        await set(taken, { bindings: [] })
        await world.admin('POST', `/v1/workloadIdentities/${of}:undelete`)

        assert.deepEqual(shown.json.bindings, [{ role: AGENT, members: [deleted] }])
        assert.equal(same.json.etag, shown.json.etag)
        assert.equal(beside.status, 200, beside.text)
        assertProblem(asLiving, 400, 3, /is deleted: undelete it first/)
        assertProblem(elsewhere, 400, 3, /says deleted:/)
        assert.deepEqual(await projectsOf(await signIn(of)), [{ name: `projects/${kept}`, roles: [AGENT] }])
        assertProblem(await set(kept, giving(AGENT, deleted)), 400, 3, /says deleted:/)
      })
    })

    test('a member whose rule is gone stays as it is, and is not given anew', async () => {
      const project = await newProject()
      const of = await world.createIdentity([DEPLOY, REVIEW])
      await set(project, giving(AGENT, member(of, 'review')))
      await world.admin('PATCH', `/v1/workloadIdentities/${of}`, {
        workloadIdentityConfig: { rules: [DEPLOY] },
      })

      const stays = await set(project, {
        bindings: [
          { role: AGENT, members: [member(of, 'review')] },
          { role: AUDITOR, members: [member(of)] },
        ],
      })
      const anew = await set(project, giving(AUDITOR, member(of, 'review')))

      assert.equal(stays.status, 200, stays.text)
      assertProblem(anew, 400, 3, /names the rule 'review'/)
    })

    test('of a deleted project are read, and not set', async () => {
      const project = await newProject()
      await set(project, giving(AGENT, member(email)))
      await world.admin('DELETE', `/v1/projects/${project}`)

      assert.equal((await read(project)).json.bindings.length, 1)
      assertProblem(await set(project, { bindings: [] }), 400, 9, /undelete it first/)
    })

    test('that merge requests can reach, and those that administer, are told when they are set', async () => {
      const project = await newProject()

      const plain = await set(project, giving(AGENT, member(email)))
      const bound = await set(project, giving(AGENT, member(email, 'deploy')))
      const admin = await set(project, giving(ADMIN, member(email, 'deploy')))

      const texts = (answer: Answer): string[] => answer.json.notices
      assert.equal(texts(plain).length, 1)
      assert.match(texts(plain)[0] ?? '', /merge request.*'roles\/gitopsServiceAgent' in projects\/p-\d+/)
      assert.deepEqual(texts(bound), [])
      assert.equal(texts(admin).length, 1)
      assert.match(texts(admin)[0] ?? '', /'roles\/workspaceAdmin' in projects\/p-\d+/)
    })

    test('are among the findings of the identity’s next save', async () => {
      const project = await newProject()
      const of = await world.createIdentity([DEPLOY, REVIEW])
      await set(project, giving(AGENT, member(of)))

      const saved = await world.admin('PATCH', `/v1/workloadIdentities/${of}`, { title: 'Saved' })

      const found = saved.json.findings.filter(
        ({ code }: { code: string }) => code === 'merge_request_membership',
      )
      assert.deepEqual(
        found.map(({ rule }: { rule: string }) => rule),
        ['review'],
      )
      assert.match(found[0].message, new RegExp(`projects/${project}`))
    })
  })
}
