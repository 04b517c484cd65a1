import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const AUDITOR = 'roles/auditor'
const RULE = { id: 'deploy', group: 'acme', roles: [AUDITOR] }
const OTHER = { id: 'other', group: 'acme', roles: ['roles/gitopsServiceAgent'] }

for (const kind of DATABASES) {
  describe(`which access tokens count, on ${kind}`, () => {
    let world: World
    let issuer: string

    before(async () => {
      world = await startWorld(kind)
      await world.createIdentity([RULE])
      issuer = (await world.admin('GET', '/v1/issuers')).json.issuers[0].name
    })
    after(() => world?.close())

    async function signIn(email: string): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const me = (token: string) =>
      world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${token}` } })
    const patch = (name: string, body: object) => world.admin('PATCH', `/v1/${name}`, body)
    const setRules = (email: string, ...rules: readonly object[]) =>
      patch(`workloadIdentities/${email}`, { workloadIdentityConfig: { rules } })

    /** What ends a token, and what makes it count again where something does. */
    type End = {
      readonly end: (email: string) => Promise<unknown>
      readonly mend?: (email: string) => Promise<unknown>
    }
    const ENDS: Readonly<Record<string, End>> = {
      'its identity is disabled': {
        end: (email) => patch(`workloadIdentities/${email}`, { state: 'DISABLED' }),
        mend: (email) => patch(`workloadIdentities/${email}`, { state: 'ACTIVE' }),
      },
      'its identity is deleted': {
        end: (email) => world.admin('DELETE', `/v1/workloadIdentities/${email}`),
        mend: (email) => world.admin('POST', `/v1/workloadIdentities/${email}:undelete`),
      },
      'its identity is deleted and made again under the same email': {
        end: async (email) => {
          await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
          await world.createIdentity([RULE], { id: email.slice(0, email.indexOf('@')) })
        },
      },
      'its issuer is disabled': {
        end: () => patch(issuer, { state: 'DISABLED' }),
        mend: () => patch(issuer, { state: 'ACTIVE' }),
      },
      'its issuer is deleted': {
        end: () => world.admin('DELETE', `/v1/${issuer}`),
        mend: () => world.admin('POST', `/v1/${issuer}:undelete`),
      },
      'its identity takes tokens of another issuer now': {
        end: (email) =>
          patch(`workloadIdentities/${email}`, {
            workloadIdentityConfig: { issuerUrl: 'https://gitlab.example.com' },
          }),
      },
      'the only rule that it met is disabled': {
        end: (email) => setRules(email, { ...RULE, disabled: true }, OTHER),
        mend: (email) => setRules(email, { ...RULE, disabled: false }, OTHER),
      },
      'the only rule that it met is gone': { end: (email) => setRules(email, OTHER) },
    }
    for (const [name, { end, mend }] of Object.entries(ENDS)) {
      test(`a token counts until ${name}`, async () => {
        const email = await world.createIdentity([RULE])
        const token = await signIn(email)
        assert.equal((await me(token)).status, 200)

        const ended = (await end(email)) as { status?: number; text?: string } | undefined

        assert.ok(ended?.status === undefined || ended.status === 200, ended?.text)
        assert.equal((await me(token)).status, 401)
        await mend?.(email)
        if (mend !== undefined) assert.equal((await me(token)).status, 200)
      })
    }

    test('a token counts until its project is deleted, and again once that is back', async () => {
      await world.admin('POST', '/v1/projects?projectId=web', {})
      const created = await world.admin('POST', '/v1/projects/web/workloadIdentities?workloadIdentityId=ci', {
        title: 'CI',
        workloadIdentityConfig: {
          providerType: 'GITLAB',
          issuerUrl: world.gitlab.issuerUrl,
          rules: [RULE],
        },
      })
      const token = await signIn(created.json.email)
      assert.deepEqual((await me(token)).json.projects, [{ name: 'projects/web', roles: [AUDITOR] }])

      await world.admin('DELETE', '/v1/projects/web')
      const deleted = await me(token)
      await world.admin('POST', '/v1/projects/web:undelete')

      assert.equal(deleted.status, 401)
      assert.equal((await me(token)).status, 200)
    })

    test('of several rules that a token met, one that is disabled takes its roles along and no others', async () => {
      const email = await world.createIdentity([RULE, OTHER])
      const token = await signIn(email)
      assert.deepEqual((await me(token)).json.roles, [AUDITOR, 'roles/gitopsServiceAgent'])

      await setRules(email, RULE, { ...OTHER, disabled: true })

      assert.deepEqual((await me(token)).json.roles, [AUDITOR])
    })

    test('a token whose rule gives nothing any more counts, and opens nothing', async () => {
      const email = await world.createIdentity([RULE])
      const token = await signIn(email)

      await setRules(email, { ...RULE, roles: [] })

      assert.deepEqual((await me(token)).json.roles, [])
    })
  })
}
