import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { describedCalls } from '../support/described-calls.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme' }
const KINDS = ['draft:impact', 'policyVersions/1:rollback', ':undelete', ':revokeTokens', ':refreshKeys']

for (const kind of ONE_DATABASE) {
  describe(`calls that take no body, on ${kind}`, () => {
    let world: World
    let calls: readonly (readonly [method: string, path: string])[]

    before(async () => {
      world = await startWorld(kind)
      const { paths } = (await world.request('GET', '/openapi.json')).json
      calls = (await describedCalls(world))
        .filter(({ method, path }) => method !== 'GET' && !paths[path][method.toLowerCase()].requestBody)
        .map(({ method, path }) => [method, path.replace('{version}', '1').replaceAll(/\{\w+\}/g, 'none')])
    })
    after(() => world?.close())

    const send = (
      raw: string | Uint8Array | undefined,
      [method, path]: readonly [string, string],
      more = {},
    ) =>
      world.request(method, path, {
        ...(raw !== undefined && { raw }),
        headers: { authorization: `Bearer ${world.adminToken}`, ...more },
      })

    test('refuse one that says something, each of them, and name the field', async () => {
      for (const verb of KINDS)
        assert.ok(
          calls.some(([, path]) => path.endsWith(verb)),
          verb,
        )
      for (const call of calls) {
        assertProblem(await send('{"nonsense": 1}', call), 400, 3, 'nonsense is not a field.')
      }
    })

    test('say of what is a parameter that it is one, and change nothing', async () => {
      const email = await world.createIdentity([RULE])
      const path = `/v1/workloadIdentities/${email}`
      await world.admin('PATCH', path, { title: 'Second' })

      const rolledBack = await world.admin('POST', `${path}/policyVersions/1:rollback`, {
        reason: 'why',
        nonsense: 1,
      })
      const measured = await world.admin('POST', `${path}/draft:impact`, { days: 3 })
      const deleted = await send('{"reason": "why"}', ['DELETE', path])

      assertProblem(rolledBack, 400, 3, 'reason is not a field here: write it in the query, ?reason=.')
      assertProblem(measured, 400, 3, 'days is not a field here: write it in the query, ?days=.')
      assertProblem(deleted, 400, 3, 'reason is not a field here: write it in the query, ?reason=.')
      const { title, state } = (await world.admin('GET', path)).json
      assert.deepEqual([title, state], ['Second', 'ACTIVE'])
    })

    test('take none, an empty one of whatever type, and one without members', async () => {
      const path = `/v1/workloadIdentities/${await world.createIdentity([RULE])}`
      const rollBack = ['POST', `${path}/policyVersions/1:rollback`] as const
      const head = [
        ['Host', 'x'],
        ['Authorization', `Bearer ${world.adminToken}`],
      ] as const

      const answers = [
        await send(undefined, rollBack),
        await send('', rollBack, { 'content-type': 'application/x-www-form-urlencoded' }),
        await send('{}', rollBack),
        await sendRaw(world.app.url, `POST ${rollBack[1]} HTTP/1.1`, head),
        await send('{}', ['DELETE', path]),
      ]

      for (const { status, text } of answers) assert.equal(status, 200, text)
    })

    test('refuse what is no object, of another type, not UTF-8 or too large, as calls with a body do', async () => {
      const call = ['POST', `/v1/workloadIdentities/${await world.createIdentity([RULE])}:undelete`] as const

      assertProblem(await send('[]', call), 400, 3, 'The body must be a JSON object.')
      assertProblem(await send('null', call), 400, 3, 'The body must be a JSON object.')
      assertProblem(await send('days=3', call), 400, 3, 'The body is not JSON.')
      assertProblem(await send(Uint8Array.of(0xff), call), 400, 3, 'The body is not UTF-8.')
      assertProblem(await send('{"a": 1, "a": 2}', call), 400, 3, 'The body has a member twice.')
      assertProblem(await send('days=3', call, { 'content-type': 'text/plain' }), 415, 3, /Content-Type/)
      assertProblem(await send('{}', call, { 'content-encoding': 'gzip' }), 415, 3, /Content-Encoding/)
      assertProblem(await send(`{}${' '.repeat(32_768)}`, call), 413, 3, /32 KiB/)
    })

    test('are first refused to who may not make them', async () => {
      for (const [method, path] of calls) {
        assertProblem(await world.request(method, path, { raw: '{"nonsense": 1}' }), 401, 16, /./)
      }
    })

    test('a GET has its body left unread, as before', async () => {
      const answer = await sendRaw(
        world.app.url,
        'GET /v1/roles HTTP/1.1',
        [
          ['Host', 'x'],
          ['Authorization', `Bearer ${world.adminToken}`],
        ],
        '{"nonsense": 1}',
      )

      assert.equal(answer.status, 200, answer.text)
    })
  })
}
