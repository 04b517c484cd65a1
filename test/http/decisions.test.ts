import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

type Listed = { readonly name: string; readonly outcome: string; readonly identity: string }

for (const kind of DATABASES) {
  describe(`reading decisions on ${kind}`, () => {
    let world: World
    let first: string
    let second: string
    /** Names of all decisions, oldest first. */
    const names: string[] = []

    before(async () => {
      world = await startWorld(kind)
      first = await world.createIdentity([{ group: 'acme' }])
      second = await world.createIdentity([{ group: 'acme', project: 'app' }])
      for (let n = 0; n < 12; n++) {
        await exchange(first, {})
        await exchange(second, n % 2 === 0 ? {} : { project_path: 'acme/other' })
        if (n % 4 === 0) world.clock.advance(1)
      }
      world.gitlab.behave({ discovery: { status: 500 }, jwks: { status: 500 } })
      world.clock.advance(3_600_001)
      await exchange(first, {})
    })
    after(() => world?.close())

    async function exchange(email: string, claims: object): Promise<void> {
      const { json } = await world.exchange(
        world.gitlab.signToken(gitlabClaims('18.4', { ...claims })),
        email,
      )
      names.push(`decisions/${json.decisionId ?? json.details[0].decisionId}`)
    }
    const list = (query: string) => world.admin('GET', `/v1/decisions?${query}`)
    const listed = async (query: string): Promise<readonly Listed[]> => (await list(query)).json.decisions

    test('they are listed newest first, ten to a page', async () => {
      const answer = await list('')

      assert.equal(answer.status, 200, answer.text)
      assertSafeHeaders(answer)
      assert.deepEqual(Object.keys(answer.json), ['decisions', 'nextPageToken'])
      assert.deepEqual(
        answer.json.decisions.map(({ name }: Listed) => name),
        names.toReversed().slice(0, 10),
      )
      assert.notEqual(answer.json.nextPageToken, '')
    })

    test('pages give each decision once and end, also while decisions arrive', async () => {
      const seen: string[] = []
      let pageToken = ''
      do {
        const { json } = await list(`pageSize=7&pageToken=${pageToken}`)
        seen.push(...json.decisions.map(({ name }: Listed) => name))
        pageToken = json.nextPageToken
        await world.exchange('not.a.token', second)
      } while (pageToken !== '')

      assert.deepEqual(seen, names.toReversed())
    })

    test('they are found by identity and outcome, also both', async () => {
      const byIdentity = await listed(`pageSize=1000&identity=${second}`)
      const allowed = await listed(`pageSize=1000&outcome=ALLOWED`)
      const denied = await listed(`pageSize=1000&identity=${encodeURIComponent(second)}&outcome=DENIED`)
      const failed = await listed('outcome=FAILED')

      assert.ok(byIdentity.length >= 12)
      assert.ok(byIdentity.every(({ identity }) => identity === second))
      assert.equal(allowed.length, 18)
      assert.ok(allowed.every(({ outcome }) => outcome === 'ALLOWED'))
      assert.ok(denied.length >= 6)
      assert.ok(denied.every(({ identity, outcome }) => identity === second && outcome === 'DENIED'))
      assert.deepEqual(
        failed.map(({ name }) => name),
        names.slice(-1),
      )
    })

    test('what nobody has is an empty list without a next page', async () => {
      for (const query of [
        'identity=nobody@x',
        'identity=%27%20or%201=1--',
        `identity=${first.toUpperCase()}`,
      ]) {
        assert.deepEqual((await list(query)).json, { decisions: [], nextPageToken: '' })
      }
    })

    test('a page is as large as asked for, at most a thousand', async () => {
      assert.equal((await listed('pageSize=3')).length, 3)
      assert.equal((await listed('pageSize=0')).length, 10)
      assert.ok((await listed('pageSize=1001')).length >= 25)
    })

    test('what is no filter, size or page of ours is refused', async () => {
      const good = (await list('pageSize=1')).json.nextPageToken
      const queries: readonly (readonly [query: string, names: RegExp])[] = [
        ['outcome=allowed', /outcome/],
        ['outcome=NOPE', /outcome/],
        ['outcome=ALLOWED&outcome=DENIED', /outcome/],
        ['pageSize=-1', /pageSize/],
        ['pageSize=1.5', /pageSize/],
        ['pageSize=ten', /pageSize/],
        ['pageSize=1e3', /pageSize/],
        ['pageToken=x', /pageToken/],
        [`pageToken=${good}A`, /pageToken/],
        [`pageToken=${good.slice(1)}`, /pageToken/],
        [`pageToken=${good}%3D%3D`, /pageToken/],
        [`pageToken=${randomUUID()}`, /pageToken/],
        ['pageToken=%00', /pageToken/],
        ['pagesize=1', /pagesize/],
      ]
      for (const [query, naming] of queries) {
        assertProblem(await list(query), 400, 3, naming)
      }
    })

    test('one decision is read by its id, in the form of the list', async () => {
      const [newest] = await listed('pageSize=1')
      const answer = await world.admin('GET', `/v1/${newest?.name}`)
      const upper = await world.admin('GET', `/v1/decisions/${newest?.name.split('/')[1]?.toUpperCase()}`)

      assert.deepEqual(answer.json, newest)
      assert.deepEqual(upper.json, newest)
      assert.deepEqual(Object.keys(newest ?? {}), [
        'name',
        'kind',
        'outcome',
        'reason',
        'identity',
        'issuerUrl',
        'subject',
        'claims',
        'verdict',
        'policyDigest',
        'guardrailsDigest',
        'subjectTokenHash',
        'subjectKeyId',
        'issuedKeyId',
        'issuedExpireTime',
        'decideTime',
        'requestId',
        'callerIp',
        'userAgent',
        'count',
      ])
    })

    test('what is no id of a decision is not found', async () => {
      for (const id of [
        randomUUID(),
        'x',
        '1',
        '00000000-0000-0000-0000-000000000000',
        '%27',
        `${randomUUID()}x`,
      ]) {
        assertProblem(await world.admin('GET', `/v1/decisions/${id}`), 404, 5, /./)
      }
    })
  })
}
