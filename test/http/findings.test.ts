import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { identityBody } from '../support/identity-body.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
/** What the guide's form makes of its defaults. */
const OPEN = { rules: [{ group: 'acme', roles: ['roles/gitopsServiceAgent'] }] }
const CLOSED = {
  allowedAudiences: ['https://claimgate.example.com'],
  rules: [
    {
      group: 'acme',
      project: 'app',
      refs: [{ type: 'BRANCH', pattern: 'main' }],
      ids: { projectIds: ['20'] },
    },
  ],
}

type Found = {
  readonly code: string
  readonly grade: string
  readonly rule?: string
  readonly message: string
}

let count = 0
function calls(world: World, url?: string) {
  const send = (method: string, path: string, body?: unknown) =>
    world.request(method, path, {
      body,
      headers: { authorization: `Bearer ${world.adminToken}` },
      ...(url !== undefined && { url }),
    })
  const pathOf = (email: string) => `/v1/workloadIdentities/${email}`
  return {
    create: (config: object, { acknowledge = '', more = {} }: { acknowledge?: string; more?: object } = {}) =>
      send(
        'POST',
        `${IDENTITIES}?workloadIdentityId=found-${++count}&acknowledge=${encodeURIComponent(acknowledge)}`,
        identityBody(world.gitlab.issuerUrl, config, more),
      ),
    patch: (email: string, body: object, acknowledge = '') =>
      send('PATCH', `${pathOf(email)}?acknowledge=${encodeURIComponent(acknowledge)}`, body),
    remove: (email: string) => send('DELETE', pathOf(email)),
    undelete: (email: string, acknowledge = '') =>
      send('POST', `${pathOf(email)}:undelete?acknowledge=${encodeURIComponent(acknowledge)}`),
    get: async (email: string) => (await send('GET', pathOf(email))).json,
  }
}

const codes = (findings: readonly Found[]) => findings.map(({ code }) => code)

for (const kind of ONE_DATABASE) {
  describe(`findings on ${kind}, none of which refuse anything by default`, () => {
    let world: World
    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    test('are in the answer to every save, and in no other', async () => {
      const { create, patch, remove, undelete, get } = calls(world)

      const created = await create(OPEN)
      const { email } = created.json
      const patched = await patch(email, { subjectTokenUse: 'MANY' })
      await remove(email)
      const back = await undelete(email)

      assert.equal(created.status, 200, created.text)
      assert.equal(created.json.findings[0].grade, 'CRITICAL')
      assert.equal(created.json.findings[0].rule, 'rule-1')
      assert.ok(codes(created.json.findings).includes('shared_audience'))
      assert.ok(!codes(created.json.findings).includes('reusable_token'))
      assert.ok(codes(patched.json.findings).includes('reusable_token'))
      assert.deepEqual(back.json.findings, patched.json.findings)
      const read = await get(email)
      assert.ok(!('findings' in read) && !('acknowledgements' in read))
    })

    test('are an empty list where there are none', async () => {
      const created = await calls(world).create(CLOSED, { more: { tokenLifetimeSeconds: 600 } })

      assert.deepEqual(created.json.findings, [])
    })

    test('of an identity of a project are about that project', async () => {
      await world.admin('POST', '/v1/projects?projectId=web', { title: 'Web' })

      const created = await world.admin(
        'POST',
        '/v1/projects/web/workloadIdentities?workloadIdentityId=review',
        identityBody(world.gitlab.issuerUrl, OPEN),
      )

      assert.ok(codes(created.json.findings).includes('merge_request_membership'), created.text)
    })

    test('given back are not looked at, however they were changed', async () => {
      const { create, patch, get } = calls(world)
      const created = await create(OPEN, { acknowledge: 'A trial.' })
      const { etag: _, ...read } = await get(created.json.email)

      const answer = await patch(created.json.email, {
        ...read,
        findings: 7,
        acknowledgements: [{ reason: 'Forged.' }],
      })

      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.json.acknowledgements[0].reason, 'A trial.')
      assertProblem(
        await world.admin('PATCH', `/v1/workloadIdentities/${created.json.email}?updateMask=findings`, {}),
        400,
        3,
        /cannot be set/,
      )
    })

    test('that are acknowledged are recorded with the reason, as long as they are so', async () => {
      const { create, patch, get } = calls(world)

      const created = await create(OPEN, { acknowledge: "Bob's sandbox, until Friday" })
      const { email, findings } = created.json
      world.clock.advance(60_000)
      const titled = await patch(email, { title: 'Renamed' })
      const narrowed = await patch(email, { workloadIdentityConfig: CLOSED })

      const [acknowledgement, ...others] = created.json.acknowledgements
      assert.deepEqual(others, [])
      assert.equal(acknowledgement.reason, "Bob's sandbox, until Friday")
      assert.equal(acknowledgement.acknowledgeTime, created.json.createTime)
      assert.deepEqual(
        acknowledgement.findings,
        findings.map(({ code, rule, message }: Found) => ({ code, ...(rule && { rule }), message })),
      )
      assert.deepEqual(titled.json.acknowledgements, created.json.acknowledgements)
      assert.deepEqual(codes(narrowed.json.acknowledgements[0].findings), ['long_lifetime'])
      assert.deepEqual((await get(email)).acknowledgements, narrowed.json.acknowledgements)
    })

    for (const [name, reason] of [
      ['blank', ' '],
      ['longer than 500 characters', 'x'.repeat(501)],
      ['of two lines', 'a\nb'],
    ] as const) {
      test(`are not acknowledged by a reason that is ${name}`, async () => {
        assertProblem(
          await calls(world).create(OPEN, { acknowledge: reason }),
          400,
          3,
          /^The parameter '?acknowledge/,
        )
      })
    }
  })

  describe(`findings that refuse a save on ${kind}`, () => {
    let world: World
    before(async () => {
      world = await startWorld(kind, { BLOCK_FINDINGS: 'critical' })
    })
    after(() => world?.close())

    test('are told in full, with the parameter that saves it all the same, and nothing is saved', async () => {
      const { create, get } = calls(world)

      const refused = await create(OPEN)

      assertProblem(
        refused,
        400,
        9,
        /^BLOCK_FINDINGS is critical, and whole_group_open is CRITICAL: Every Developer .* acknowledge/,
      )
      const [{ findings, ...rest }] = refused.json.details
      assert.deepEqual(rest, {})
      assert.deepEqual(codes(findings), ['whole_group_open'])
      assert.equal((await get(`found-${count}@workload.example.com`)).code, 5)
      assert.equal(
        (await world.admin('GET', `${IDENTITIES}?showDeleted=true`)).json.workloadIdentities.length,
        0,
      )
    })

    test('are told by validating too, where a save would be refused for them', async () => {
      const { create, patch } = calls(world)
      const noticesOf = async (body: object) => {
        const { json } = await world.admin('POST', '/v1/workloadIdentities:validate', body)
        assert.deepEqual(json.problems, [])
        return json.notices.filter((notice: string) => notice.startsWith('BLOCK_FINDINGS'))
      }
      const { name, email } = (await create(OPEN, { acknowledge: 'A trial.' })).json
      const wider = { workloadIdentityConfig: { rules: [{ id: 'rule-1', group: 'other' }] } }

      const ofNew = await noticesOf(identityBody(world.gitlab.issuerUrl, OPEN))
      const ofNarrow = await noticesOf(identityBody(world.gitlab.issuerUrl, CLOSED))
      const ofRenamed = await noticesOf({ name, title: 'Renamed' })
      const ofWider = await noticesOf({ name, ...wider })
      const ofDisabled = await noticesOf({ name, state: 'DISABLED' })

      const notice =
        "BLOCK_FINDINGS is critical, so a save is refused for whole_group_open of rule 'rule-1': " +
        'to save it all the same, give the reason in the parameter acknowledge, which is recorded.'
      assert.deepEqual([ofNew, ofNarrow, ofRenamed, ofWider, ofDisabled], [[notice], [], [], [notice], []])
      assertProblem(await patch(email, wider), 400, 9, /^BLOCK_FINDINGS/)
    })

    test('are only those of the grade that is set, or worse', async () => {
      const { create } = calls(world)

      const warned = await create({ rules: [{ ...OPEN.rules[0], project: 'app' }] })

      assert.equal(warned.status, 200, warned.text)
      assert.ok(warned.json.findings.some(({ grade }: Found) => grade === 'WARNING'))
    })

    test('are let through once acknowledged, also in later saves that let in nobody else', async () => {
      const { create, patch, remove, undelete } = calls(world)
      const created = await create(OPEN, { acknowledge: 'A trial.' })
      const { email } = created.json

      const titled = await patch(email, { title: 'Renamed' })
      const wider = await patch(email, {
        workloadIdentityConfig: { rules: [{ id: 'rule-1', group: 'other' }] },
      })
      const another = await patch(email, {
        workloadIdentityConfig: { rules: [{ ...OPEN.rules[0], id: 'rule-1' }, { group: 'more' }] },
      })
      const acknowledged = await patch(
        email,
        { workloadIdentityConfig: { rules: [{ id: 'rule-1', group: 'other' }] } },
        'The other trial.',
      )
      await remove(email)
      const back = await undelete(email)

      assert.equal(created.status, 200, created.text)
      assert.equal(titled.status, 200, titled.text)
      assertProblem(wider, 400, 9, /'other'/)
      assertProblem(another, 400, 9, /'more'/)
      assert.equal(acknowledged.status, 200, acknowledged.text)
      assert.deepEqual(
        acknowledged.json.acknowledgements.map(({ reason }: { reason: string }) => reason),
        ['The other trial.'],
      )
      assert.equal(back.status, 200, back.text)
    })

    test('refuse a change and an undelete of what was saved before they did, but never that it is disabled', async () => {
      if (kind === 'embedded') return
      const before = await world.startInstance({ BLOCK_FINDINGS: 'none' })
      const { create } = calls(world, before.url)
      const { patch, remove, undelete, get } = calls(world)
      const { email } = (await create(OPEN)).json

      const titled = await patch(email, { title: 'Renamed' })
      const disabled = await patch(email, { state: 'DISABLED' })
      const enabled = await patch(email, { state: 'ACTIVE' })
      await remove(email)
      const back = await undelete(email)
      const acknowledged = await undelete(email, 'It is needed.')

      assertProblem(titled, 400, 9, /acknowledge/)
      assert.equal(disabled.status, 200, disabled.text)
      assertProblem(enabled, 400, 9, /acknowledge/)
      assertProblem(back, 400, 9, /acknowledge/)
      assert.equal(acknowledged.status, 200, acknowledged.text)
      assert.equal(acknowledged.json.state, 'DISABLED')
      assert.equal((await get(email)).acknowledgements[0].reason, 'It is needed.')
    })

    test('from warnings on are also those', async () => {
      const strict = await world.startInstance({ BLOCK_FINDINGS: 'warning' })
      const { create } = calls(world, strict.url)

      const refused = await create({ rules: [{ ...CLOSED.rules[0] }] })
      const noted = await create({ ...CLOSED, rules: [{ ...CLOSED.rules[0], ids: {} }] })

      assertProblem(refused, 400, 9, /^BLOCK_FINDINGS is warning, and shared_audience is WARNING/)
      assert.equal(noted.status, 200, noted.text)
      assert.deepEqual(codes(noted.json.findings), ['no_id_pinned', 'long_lifetime'])
    })
  })
}
