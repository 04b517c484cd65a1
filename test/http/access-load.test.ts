import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

for (const kind of ONE_DATABASE) {
  describe(`many access decisions on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    test('that one token asks for take the database from nobody else', async () => {
      const email = await world.createIdentity([{ group: 'acme' }])
      const exchange = () => world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const { accessToken } = (await exchange()).json
      // None of these projects is there, so that each is looked for in the database.
      const body = {
        subject: { type: 'token', id: accessToken },
        action: { name: 'db.databases.get' },
        evaluations: Array.from({ length: 100 }, (_, n) => ({ resource: { type: 'project', id: `p-${n}` } })),
      }
      const ask = () =>
        world.request('POST', '/access/v1/evaluations', {
          body,
          headers: { authorization: `Bearer ${accessToken}` },
        })

      const asked = Promise.all(Array.from({ length: 20 }, ask))
      const exchanged = await Promise.all(Array.from({ length: 5 }, exchange))
      const answers = await asked

      for (const { status, text } of exchanged) assert.equal(status, 200, text)
      for (const { status, text } of answers) {
        assert.ok([200, 503].includes(status), text)
        assert.doesNotMatch(text, /The database does not answer/)
      }
      assert.ok(answers.some(({ status }) => status === 200))
    })
  })
}
