import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULES = [{ id: 'deploy', group: 'acme' }]

for (const kind of ONE_DATABASE) {
  describe(`etags on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const send = (method: string, path: string, ifMatch: string | undefined, body?: unknown) =>
      world.request(method, path, {
        body,
        headers: {
          authorization: `Bearer ${world.adminToken}`,
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        },
      })

    /** A resource that can be changed, deleted and undeleted. */
    const RESOURCES: Readonly<Record<string, () => Promise<string>>> = {
      'an identity': async () => `/v1/workloadIdentities/${await world.createIdentity(RULES)}`,
      'a project': async () => {
        const id = `p-${Math.random().toString(36).slice(2)}`
        await world.admin('POST', `/v1/projects?projectId=${id}`, {})
        return `/v1/projects/${id}`
      },
      'an issuer': async () => {
        const id = `i-${Math.random().toString(36).slice(2)}`
        const body = { issuerUrl: `https://${id}.example`, providerType: 'GITLAB' }
        await world.admin('POST', `/v1/issuers?issuerId=${id}`, body)
        return `/v1/issuers/${id}`
      },
    }

    for (const [name, create] of Object.entries(RESOURCES)) {
      test(`of ${name} are the header's too, and another after every change`, async () => {
        const path = await create()
        const read = await world.admin('GET', path)

        const changed = await send('PATCH', path, `"${read.json.etag}"`, { title: 'a' })
        const removed = await send('DELETE', path, `"${changed.json.etag}"`)
        const shown = await world.admin('GET', path)
        const back = await send('POST', `${path}:undelete`, `"${shown.json.etag}"`)

        for (const answer of [read, changed, shown, back]) {
          assert.equal(answer.status, 200, answer.text)
          assert.equal(answer.headers.get('etag'), `"${answer.json.etag}"`)
        }
        assert.deepEqual(removed.json, {})
        const etags = [read, changed, shown, back].map(({ json }) => json.etag)
        assert.equal(new Set(etags).size, etags.length)
      })

      test(`a change of ${name} with a stale one is refused and changes nothing`, async () => {
        const path = await create()
        const { etag: stale } = (await world.admin('GET', path)).json
        await world.admin('PATCH', path, { title: 'newer' })
        const before = (await world.admin('GET', path)).json

        for (const ifMatch of [`"${stale}"`, `W/"${before.etag}"`, `"${stale}", "0"`, '""']) {
          assertProblem(await send('PATCH', path, ifMatch, { title: 'stale' }), 409, 10, /read it again/)
          assertProblem(await send('DELETE', path, ifMatch), 409, 10, /read it again/)
        }
        assertProblem(await world.admin('PATCH', path, { title: 'x', etag: stale }), 409, 10, /read it again/)
        assert.deepEqual((await world.admin('GET', path)).json, before)

        await world.admin('DELETE', path)
        assertProblem(await send('POST', `${path}:undelete`, `"${before.etag}"`), 409, 10, /read it again/)
        assert.equal((await world.admin('GET', path)).json.state, 'DELETED')
      })

      test(`a change of ${name} goes through with any of several, with * and without`, async () => {
        const path = await create()
        const { etag } = (await world.admin('GET', path)).json

        const answers = [
          await send('PATCH', path, `"0", "${etag}"`, { title: 'several' }),
          await send('PATCH', path, '*', { title: 'any' }),
          await send('PATCH', path, undefined, { title: 'none' }),
        ]

        assert.deepEqual(
          answers.map(({ status, json }) => [status, json.title]),
          [
            [200, 'several'],
            [200, 'any'],
            [200, 'none'],
          ],
        )
        assertProblem(await send('PATCH', path, etag, { title: 'bare' }), 400, 3, /If-Match/)
      })

      test(`of fifty changes of ${name} at once with one etag, one goes through`, async () => {
        const path = await create()
        const { etag } = (await world.admin('GET', path)).json

        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, n) => send('PATCH', path, `"${etag}"`, { title: `title ${n}` })),
        )

        const won = answers.filter(({ status }) => status === 200)
        assert.equal(won.length, 1)
        for (const answer of answers)
          if (answer.status !== 200) assertProblem(answer, 409, 10, /read it again/)
        assert.equal((await world.admin('GET', path)).json.title, won[0]?.json.title)
      })

      test(`fifty changes of ${name} at once without one all go through, one after the other`, async () => {
        const path = await create()

        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, n) => send('PATCH', path, undefined, { title: `title ${n}` })),
        )

        assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
        const etags = answers.map(({ json }) => Number(json.etag)).sort((a, b) => a - b)
        assert.equal(new Set(etags).size, 50)
        const last = answers.find(({ json }) => Number(json.etag) === etags.at(-1))
        assert.equal((await world.admin('GET', path)).json.title, last?.json.title)
      })
    }

    test('changes of different fields at once, over two instances, all stay', async () => {
      if (kind === 'embedded') return
      const path = await RESOURCES['an identity']?.()
      const other = await world.startInstance()
      const changes = Array.from({ length: 20 }, (_, n) => [
        { title: `title ${n}` },
        { tokenLifetimeSeconds: 60 + n },
        { workloadIdentityConfig: { rules: [{ ...RULES[0], title: `rules ${n % 3}` }] } },
        { recordedClaims: ['user_login', 'user_email'].slice(0, 1 + (n % 2)) },
      ]).flat()

      const answers = await Promise.all(
        changes.map((body, n) =>
          world.request('PATCH', path ?? '', {
            body,
            url: n % 2 === 0 ? world.app.url : other.url,
            headers: { authorization: `Bearer ${world.adminToken}` },
          }),
        ),
      )

      for (const answer of answers) assert.equal(answer.status, 200, answer.text)
      const last = answers
        .map(({ json }) => json)
        .sort((a, b) => Number(a.etag) - Number(b.etag))
        .at(-1)
      const { notices: _, findings: __, ...identity } = last
      assert.deepEqual((await world.admin('GET', path ?? '')).json, identity)
      assert.match(identity.title, /^title /)
      assert.notEqual(identity.tokenLifetimeSeconds, 3600)
      assert.match(identity.workloadIdentityConfig.rules[0].title, /^rules /)
      const policy = await world.admin('GET', `${path}/policy`)
      const rules = policy.json.modules.find(({ path: name }: { path: string }) => name === 'rules.rego')
      assert.match(rules.source, new RegExp(identity.workloadIdentityConfig.rules[0].title))
    })
  })
}
