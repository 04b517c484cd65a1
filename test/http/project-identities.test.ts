import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const ROLES = ['roles/auditor', 'roles/gitopsServiceAgent']
const RULE = { id: 'deploy', group: 'acme', roles: ROLES }

for (const kind of ONE_DATABASE) {
  describe(`identities of a project on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
      for (const id of ['web', 'api']) await world.admin('POST', `/v1/projects?projectId=${id}`, {})
    })
    after(() => world?.close())

    const body = (more: object = {}) => ({
      workloadIdentityConfig: { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: [RULE] },
      ...more,
    })
    const create = (project: string, id: string, sent: unknown = body()) =>
      world.admin('POST', `/v1/projects/${project}/workloadIdentities?workloadIdentityId=${id}`, sent)
    const exchange = (email: string) => world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
    const me = (token: string) =>
      world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${token}` } })
    const claimsOf = (token: string) =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

    test('have the project in their email, and another one under each parent', async () => {
      const ofWeb = await create('web', 'same', body({ email: `same@web.${IDENTITY_DOMAIN}` }))
      const ofApi = await create('api', 'same')
      const ofWorkspace = await world.createIdentity([RULE], { id: 'same' })

      assert.equal(ofWeb.status, 200, ofWeb.text)
      assert.equal(ofWeb.json.email, `same@web.${IDENTITY_DOMAIN}`)
      assert.equal(ofWeb.json.name, `workloadIdentities/same@web.${IDENTITY_DOMAIN}`)
      assert.equal(ofApi.json.email, `same@api.${IDENTITY_DOMAIN}`)
      assert.equal(ofWorkspace, `same@${IDENTITY_DOMAIN}`)
      const read = await world.admin('GET', `/v1/workloadIdentities/${ofWeb.json.email}`)
      const { notices: _, findings: __, ...created } = ofWeb.json
      assert.deepEqual(read.json, created)
      assertProblem(await create('web', 'same'), 409, 6, /exists already/)
    })

    test('of another domain are refused with the right one named', async () => {
      const right = new RegExp(`x@web\\.${IDENTITY_DOMAIN.replaceAll('.', '\\.')}`)
      for (const email of [`x@${IDENTITY_DOMAIN}`, `x@api.${IDENTITY_DOMAIN}`, 'x@web.example.com']) {
        assertProblem(await create('web', 'x', body({ email })), 400, 3, right)
      }
      const under = await world.admin(
        'POST',
        '/v1/workspaces/default/workloadIdentities?workloadIdentityId=x',
        body({ email: `x@web.${IDENTITY_DOMAIN}` }),
      )
      assertProblem(under, 400, 3, new RegExp(`x@${IDENTITY_DOMAIN.replaceAll('.', '\\.')}`))
    })

    test('have their roles in the project only, in their token and for users/me', async () => {
      const { email } = (await create('web', 'roles')).json

      const { accessToken } = (await exchange(email)).json
      const claims = claimsOf(accessToken)
      const user = await me(accessToken)
      const decision = await world.lastDecision(email)

      assert.deepEqual(claims.roles, [])
      assert.deepEqual(claims.projects, [{ name: 'projects/web', roles: ROLES }])
      assert.equal(claims.sub, email)
      assert.deepEqual(user.json.roles, [])
      assert.deepEqual(user.json.projects, [{ name: 'projects/web', roles: ROLES }])
      assert.equal(user.json.email, email)
      assert.deepEqual((decision.verdict as { roles: unknown }).roles, ROLES)
    })

    test('have decisions that are found by their project', async () => {
      await world.admin('POST', '/v1/projects?projectId=found', {})
      const { email } = (await create('found', 'found')).json
      await exchange(email)
      await world.exchange(
        world.gitlab.signToken(gitlabClaims('18.4', { project_path: 'others/app' })),
        email,
      )

      const byProject = async (project: string) =>
        (await world.admin('GET', `/v1/decisions?project=${project}`)).json.decisions

      const decisions = await byProject('projects/found')
      assert.deepEqual(
        decisions.map((decision: { identity: string }) => decision.identity),
        [email, email],
      )
      assert.deepEqual(await byProject('found'), decisions)
      assert.deepEqual(await byProject('projects/nobody'), [])
    })

    test('lose a role that their rules no longer grant, for users/me at once', async () => {
      const { email } = (await create('web', 'lessened')).json
      const { accessToken } = (await exchange(email)).json

      await world.admin('PATCH', `/v1/workloadIdentities/${email}`, {
        workloadIdentityConfig: { rules: [{ ...RULE, roles: ['roles/auditor'] }] },
      })

      assert.deepEqual((await me(accessToken)).json.projects, [
        { name: 'projects/web', roles: ['roles/auditor'] },
      ])
    })

    test('of the workspace have no projects in their token', async () => {
      const email = await world.createIdentity([RULE])

      const { accessToken } = (await exchange(email)).json

      assert.deepEqual(claimsOf(accessToken).roles, ROLES)
      assert.equal('projects' in claimsOf(accessToken), false)
    })

    test('are cut off with their project and come back with it, on every instance', async () => {
      await world.admin('POST', '/v1/projects?projectId=mortal', {})
      const { email } = (await create('mortal', 'deploy')).json
      const other = kind === 'embedded' ? world.app : await world.startInstance()
      const exchangeThere = () =>
        world.request('POST', '/v1/auth:exchangeToken', {
          url: other.url,
          body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
        })
      const { accessToken } = (await exchangeThere()).json

      await world.admin('DELETE', '/v1/projects/mortal')
      const refused = await exchangeThere()
      const { reason } = await world.lastDecision(email)
      const dead = await me(accessToken)
      const created = await create('mortal', 'another')
      const shown = await world.admin('GET', `/v1/workloadIdentities/${email}`)
      await world.admin('POST', '/v1/projects/mortal:undelete')
      const allowed = await exchangeThere()
      const alive = await me(accessToken)

      assertProblem(refused, 401, 16, 'Token exchange denied.')
      assert.equal(reason, 'identity_inactive')
      assertProblem(dead, 401, 16, /no longer active/)
      assertProblem(created, 400, 9, /projects\/mortal is deleted: undelete it first/)
      assert.equal(shown.json.state, 'ACTIVE')
      assert.equal(allowed.status, 200, allowed.text)
      assert.equal(alive.status, 200, alive.text)
    })

    test('are changed, deleted and undeleted like any other', async () => {
      const { email } = (await create('web', 'changed')).json
      const path = `/v1/workloadIdentities/${email}`

      const patched = await world.admin('PATCH', path, { title: 'New' })
      const removed = await world.admin('DELETE', path)
      const back = await world.admin('POST', `${path}:undelete`)

      assert.equal(patched.json.title, 'New')
      assert.equal(removed.status, 200)
      assert.equal(back.json.state, 'ACTIVE')
      assert.deepEqual(claimsOf((await exchange(email)).json.accessToken).roles, [])
    })

    test('need a project that is there', async () => {
      for (const project of ['none', 'Web', '%20', '-']) {
        assertProblem(await create(project, 'x'), 404, 5, /no such project/)
      }
    })
  })
}
