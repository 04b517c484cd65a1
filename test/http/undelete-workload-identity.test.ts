import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', roles: ['roles/auditor'] }

for (const kind of ONE_DATABASE) {
  describe(`undeleting an identity on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const get = async (email: string) => (await world.admin('GET', `/v1/workloadIdentities/${email}`)).json
    const remove = (email: string) => world.admin('DELETE', `/v1/workloadIdentities/${email}`)
    const undelete = (email: string) => world.admin('POST', `/v1/workloadIdentities/${email}:undelete`)
    const exchange = (email: string) => world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
    const me = (token: string) =>
      world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${token}` } })

    test('brings it back as it was, with its tokens', async () => {
      const email = await world.createIdentity([RULE])
      const before = await get(email)
      const { accessToken } = (await exchange(email)).json
      await remove(email)
      assertProblem(await me(accessToken), 401, 16, /no longer active/)
      world.clock.advance(1_000)

      const answer = await undelete(email)

      assert.equal(answer.status, 200, answer.text)
      const { findings, ...stored } = answer.json
      const { etag, updateTime, ...rest } = stored
      const { etag: _, updateTime: __, ...same } = before
      assert.deepEqual(rest, same)
      assert.notEqual(etag, before.etag)
      assert.equal(answer.headers.get('etag'), `"${etag}"`)
      assert.equal(updateTime, new Date(world.clock()).toISOString())
      assert.ok(findings.length > 0)
      assert.deepEqual(await get(email), stored)
      assert.equal((await exchange(email)).status, 200)
      assert.equal((await me(accessToken)).status, 200)
    })

    test('leaves a disabled one disabled', async () => {
      const email = await world.createIdentity([RULE])
      await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { state: 'DISABLED' })
      await remove(email)

      const answer = await undelete(email)

      assert.equal(answer.json.state, 'DISABLED')
      assertProblem(await exchange(email), 401, 16, 'Token exchange denied.')
    })

    test('is refused for what is not deleted, and for what never was', async () => {
      const email = await world.createIdentity([RULE])

      assertProblem(await undelete(email), 400, 9, /is not deleted/)
      await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { state: 'DISABLED' })
      assertProblem(await undelete(email), 400, 9, /is not deleted/)
      assertProblem(await undelete(`nobody@${IDENTITY_DOMAIN}`), 404, 5, /no such/)
      assertProblem(
        await world.request('POST', `/v1/workloadIdentities/${email}:undelete`),
        401,
        16,
        /admin token/,
      )
    })

    test('never brings back one whose email was given anew: its tokens stay dead', async () => {
      const email = await world.createIdentity([RULE], { id: 'phoenix', identity: { title: 'first' } })
      const { accessToken: first } = (await exchange(email)).json
      await remove(email)
      await world.createIdentity([RULE], { id: 'phoenix', identity: { title: 'second' } })
      const { accessToken: second } = (await exchange(email)).json

      assertProblem(await undelete(email), 400, 9, /is not deleted/)
      await remove(email)
      const answer = await undelete(email)

      assert.equal(answer.json.title, 'second')
      assertProblem(await me(first), 401, 16, /no longer active/)
      assert.equal((await me(second)).status, 200)
    })

    test('and creating at once leave one living identity under the email', async () => {
      const email = await world.createIdentity([RULE], { id: 'contested' })
      const config = { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: [RULE] }
      await remove(email)

      const [undeleted, created] = await Promise.all([
        undelete(email),
        world.admin('POST', '/v1/workspaces/default/workloadIdentities?workloadIdentityId=contested', {
          workloadIdentityConfig: config,
        }),
      ])

      const statuses = [undeleted.status, created.status].sort()
      assert.equal(statuses[0], 200)
      assert.ok(statuses[1] === 400 || statuses[1] === 409, `${undeleted.text} ${created.text}`)
      assert.equal((await get(email)).state, 'ACTIVE')
      assert.equal((await exchange(email)).status, 200)
    })
  })
}
