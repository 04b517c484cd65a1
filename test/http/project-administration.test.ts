import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { assertForbidden, type DescribedCall, describedCalls } from '../support/described-calls.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { type Answer, IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const ADMIN = 'roles/workspaceAdmin'
const AUTHOR = 'roles/policyAuthor'
const AUDITOR = 'roles/auditor'
const AGENT = 'roles/gitopsServiceAgent'

for (const kind of ONE_DATABASE) {
  describe(`the administrator of a project, on ${kind}`, () => {
    let world: World
    let calls: readonly DescribedCall[]
    /** An identity each of the project web, of the project api and of the workspace. */
    let emails: Readonly<Record<'web' | 'api' | 'workspace', string>>
    /** Who administers web: a member of it from outside, and one of its own by a rule. */
    let administrators: Readonly<Record<string, string>>

    before(async () => {
      world = await startWorld(kind)
      for (const id of ['web', 'api']) await world.admin('POST', `/v1/projects?projectId=${id}`, {})
      emails = {
        web: await createIn('web', 'ci'),
        api: await createIn('api', 'ci'),
        workspace: await world.createIdentity([rule()], { id: 'ci' }),
      }
      const member = await world.createIdentity([rule()], { id: 'member' })
      await setMembers('web', ADMIN, member)
      administrators = {
        'a member': await signIn(member),
        'an identity of the project': await signIn(await createIn('web', 'boss', ADMIN)),
      }
      calls = (await describedCalls(world)).filter(({ permission }) => permission !== '')
    })
    after(() => world?.close())

    const rule = (...roles: readonly string[]) => ({ id: 'ci', group: 'acme', roles })
    const body = (...roles: readonly string[]) =>
      identityBody(world.gitlab.issuerUrl, { rules: [rule(...roles)] })
    async function createIn(project: string, id: string, ...roles: readonly string[]): Promise<string> {
      const path = `/v1/projects/${project}/workloadIdentities?workloadIdentityId=${id}`
      const created = await world.admin('POST', path, body(...roles))
      assert.equal(created.status, 200, created.text)
      return created.json.email
    }
    async function signIn(email: string): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const as = (token: string, method: string, path: string, sent?: unknown): Promise<Answer> =>
      world.request(method, path, { body: sent, headers: { authorization: `Bearer ${token}` } })
    async function setMembers(project: string, role: string, ...members: readonly string[]): Promise<void> {
      const { json } = await world.admin('GET', `/v1/projects/${project}:getIamPolicy`)
      const added = { role, members: members.map((email) => `workloadIdentity:${email}`) }
      const policy = { ...json, bindings: [...json.bindings, added] }
      const answer = await world.admin('POST', `/v1/projects/${project}:setIamPolicy`, { policy })
      assert.equal(answer.status, 200, answer.text)
    }
    let ids = 0
    const newId = () => `new-${++ids}`
    async function newProject(): Promise<string> {
      const id = newId()
      await world.admin('POST', `/v1/projects?projectId=${id}`, {})
      return id
    }
    /** Whoever has a role in a project as a member. */
    async function memberOf(project: string, role: string): Promise<string> {
      const email = await world.createIdentity([rule()])
      await setMembers(project, role, email)
      return signIn(email)
    }

    const isOfProject = ({ path }: DescribedCall) => /\{(project|email)\}/.test(path)
    const send = (token: string, { method, path }: DescribedCall, project: string, email: string) => {
      const filled = path
        .replace('{project}', project)
        .replace('{email}', email)
        .replaceAll(/\{\w+\}/g, 'none')
      return as(token, method, filled, method === 'GET' || method === 'DELETE' ? undefined : {})
    }

    for (const who of ['a member', 'an identity of the project']) {
      test(`may call everything in it, as ${who}`, async () => {
        const own = calls.filter(isOfProject)
        assert.ok(own.length > 20)

        for (const call of own) {
          // Of another name, so that what works destroys nothing.
          const answer = await send(administrators[who] ?? '', call, 'web', `none@web.${IDENTITY_DOMAIN}`)

          const isDone = call.path === '/v1/projects/{project}' && call.method === 'DELETE'
          assert.ok(![401, 403].includes(answer.status), `${call.method} ${call.path}: ${answer.text}`)
          if (isDone) await world.admin('POST', '/v1/projects/web:undelete')
        }
        const answer = await as(administrators[who] ?? '', 'PATCH', `/v1/workloadIdentities/${emails.web}`, {
          title: who,
        })
        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.json.title, who)
      })

      test(`may call nothing outside of it, as ${who}`, async () => {
        const token = administrators[who] ?? ''

        for (const call of calls) {
          const outside: readonly (readonly [project: string, email: string])[] = [
            ['api', emails.api],
            ['api', emails.workspace],
            ['none', `none@none.${IDENTITY_DOMAIN}`],
            ['none', `none@${IDENTITY_DOMAIN}`],
            ['web%20', 'none'],
            ['WEB', `ci@WEB.${IDENTITY_DOMAIN}`],
          ]
          for (const [project, email] of isOfProject(call) ? outside : outside.slice(0, 1)) {
            assertForbidden(await send(token, call, project, email), call)
          }
        }
      })
    }

    test('sees itself as such in users/me, and in no other place', async () => {
      const { json } = await as(administrators['a member'] ?? '', 'GET', '/v1/users/me')

      assert.deepEqual([json.roles, json.projects], [[], [{ name: 'projects/web', roles: [ADMIN] }]])
    })

    test('is told in which project it lacks a permission', async () => {
      const answer = await as(administrators['a member'] ?? '', 'GET', '/v1/projects/api')

      assertProblem(answer, 403, 7, /claimgate\.projects\.get, .*member@.* do not give in projects\/api/)
    })

    test('gives there what it holds there, by members and by rules', async () => {
      const project = await newProject()
      const token = await memberOf(project, ADMIN)
      const identities = `/v1/projects/${project}/workloadIdentities?workloadIdentityId=`

      const made = await as(token, 'POST', `${identities}mine`, body(ADMIN))
      const { json } = await as(token, 'GET', `/v1/projects/${project}:getIamPolicy`)
      const members = [`workloadIdentity:${emails.api}`]
      const given = await as(token, 'POST', `/v1/projects/${project}:setIamPolicy`, {
        policy: { ...json, bindings: [...json.bindings, { role: ADMIN, members }] },
      })
      const newIssuer = await as(
        token,
        'POST',
        `${identities}issuer`,
        identityBody('https://evil.example.com', { rules: [rule()] }),
      )

      assert.equal(made.status, 200, made.text)
      assert.equal(given.status, 200, given.text)
      assertProblem(newIssuer, 403, 7, /claimgate\.issuers\.create/)
      const of = await signIn(made.json.email)
      assert.equal((await as(of, 'GET', `/v1/projects/${project}`)).status, 200)
      assertProblem(await as(of, 'GET', '/v1/projects/web'), 403, 7, /./)
    })

    describe('who may set members, and no more,', () => {
      let project: string
      let token: string
      let policy: { readonly bindings: readonly object[] }

      before(async () => {
        const permissions = ['claimgate.projects.get', 'claimgate.projects.setIamPolicy', 'bb.plans.create']
        await world.admin('POST', '/v1/roles?roleId=memberKeeper', { permissions })
        await world.admin('POST', '/v1/roles?roleId=reader', { permissions: ['claimgate.projects.get'] })
        project = await newProject()
        token = await memberOf(project, 'roles/memberKeeper')
        await setMembers(project, ADMIN, emails.api)
        policy = (await as(token, 'GET', `/v1/projects/${project}:getIamPolicy`)).json
      })

      const set = (bindings: readonly object[]) =>
        as(token, 'POST', `/v1/projects/${project}:setIamPolicy`, { policy: { bindings } })
      const members = () => [`workloadIdentity:${emails.web}`]

      test('gives what it holds, and roles of services behind, beside what was there', async () => {
        for (const role of [AGENT, 'roles/reader', 'roles/memberKeeper']) {
          const answer = await set([...policy.bindings, { role, members: members() }])

          assert.equal(answer.status, 200, `${role}: ${answer.text}`)
        }
      })

      test('is not told what the rules of a member from elsewhere let in, nor which they are', async () => {
        const review = { id: 'secret-rule', group: 'acme', project: 'secret-project' }
        const email = await world.createIdentity([review])
        const add = (member: string) =>
          set([...policy.bindings, { role: AGENT, members: [`workloadIdentity:${member}`] }])

        const added = await add(email)
        const mistaken = await add(`${email}#none`)

        assert.deepEqual([added.status, added.json.notices], [200, []])
        assertProblem(mistaken, 400, 3, /names the rule 'none', which .* does not have\.$/)
        for (const { text } of [added, mistaken]) assert.doesNotMatch(text, /secret/)
      })

      test('gives no role that gives more, nor takes one', async () => {
        for (const role of [ADMIN, AUTHOR, AUDITOR]) {
          const answer = await set([...policy.bindings, { role, members: members() }])
          assertProblem(
            answer,
            403,
            7,
            new RegExp(`${role} gives permissions that you do not hold in projects/`),
          )
        }
        const taking = await set(
          policy.bindings.filter((binding) => (binding as { role: string }).role !== ADMIN),
        )
        assertProblem(taking, 403, 7, /roles\/workspaceAdmin/)
      })
    })

    describe('nobody who may change identities makes administrators of their jobs', () => {
      const change = { workloadIdentityConfig: { rules: [{ id: 'ci', group: 'evil' }] } }

      test('of one that is a member with more than they hold, anywhere', async () => {
        const project = await newProject()
        const email = await world.createIdentity([rule()])
        await setMembers(project, ADMIN, email)
        const author = await signIn(await world.createIdentity([rule(AUTHOR)]))
        const path = `/v1/workloadIdentities/${email}`

        const answers = [
          await as(author, 'PATCH', path, change),
          await as(author, 'PUT', `${path}/draft`, change),
          await as(author, 'DELETE', path),
          await as(author, 'POST', '/v1/workspaces/default:applyPolicies', {
            changes: [
              {
                action: 'DELETE',
                email,
                etag: (await world.admin('GET', path)).json.etag,
              },
            ],
          }),
        ]
        await world.admin('DELETE', path)
        answers.push(await as(author, 'POST', `${path}:undelete`))

        for (const answer of answers) {
          assertProblem(answer, 403, 7, new RegExp(`you do not hold in projects/${project}`))
        }
      })

      test('of one of their project that administers another', async () => {
        const [own, other] = [await newProject(), await newProject()]
        const email = await createIn(own, 'ci')
        await setMembers(other, ADMIN, email)
        const token = await memberOf(own, ADMIN)

        const answer = await as(token, 'PATCH', `/v1/workloadIdentities/${email}`, change)

        assertProblem(answer, 403, 7, new RegExp(`you do not hold in projects/${other}`))
      })
    })

    test('in a deleted project nobody is anything', async () => {
      const project = await newProject()
      const token = await memberOf(project, ADMIN)
      await world.admin('DELETE', `/v1/projects/${project}`)

      const answers = [
        await as(token, 'GET', `/v1/projects/${project}`),
        await as(token, 'POST', `/v1/projects/${project}:undelete`),
      ]
      await world.admin('POST', `/v1/projects/${project}:undelete`)

      for (const answer of answers) assertProblem(answer, 403, 7, /./)
      assert.equal((await as(token, 'GET', `/v1/projects/${project}`)).status, 200)
    })

    test('what the workspace’s roles give counts in every project', async () => {
      const token = await signIn(await world.createIdentity([rule(AUDITOR)]))

      assert.equal((await as(token, 'GET', '/v1/projects/web')).status, 200)
      assert.equal((await as(token, 'GET', `/v1/workloadIdentities/${emails.web}`)).status, 200)
      assertProblem(await as(token, 'PATCH', '/v1/projects/web', { title: 'x' }), 403, 7, /./)
    })

    test('an email that looks like one of the project since the domain changed is not the project’s', {
      skip: kind === 'embedded',
    }, async () => {
      const [, ...rest] = IDENTITY_DOMAIN.split('.')
      await world.admin('POST', '/v1/projects?projectId=workload', {})
      const token = await memberOf('workload', ADMIN)
      const { url } = await world.startInstance({ IDENTITY_DOMAIN: rest.join('.') })
      const headers = { authorization: `Bearer ${token}` }

      const ask = (email: string) => world.request('GET', `/v1/workloadIdentities/${email}`, { url, headers })

      assertProblem(await ask(emails.workspace), 403, 7, /./)
      assertProblem(await ask(`none@${IDENTITY_DOMAIN}`), 404, 5, /./)
    })
  })
}
