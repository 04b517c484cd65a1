import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

type Listed = {
  readonly name: string
  readonly outcome: string
  readonly reason: string
  readonly identity: string
  readonly decideTime: string
  readonly claims: { readonly project_path?: unknown } | null
}

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
      world.gitlab.behave({})
      world.clock.advance(60_000)
    })
    after(() => world?.close())

    async function exchange(email: string, claims: object): Promise<string> {
      const { json } = await world.exchange(
        world.gitlab.signToken(gitlabClaims('18.4', { ...claims })),
        email,
      )
      const name = `decisions/${json.decisionId ?? json.details[0].decisionId}`
      names.push(name)
      return name
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

    test('every combination of filters gives what all of them let through, page after page, while others arrive', async () => {
      const all = await listed('pageSize=1000')
      const before = new Set(all.map(({ name }) => name))
      const times = [...new Set(all.map(({ decideTime }) => decideTime))].toSorted()
      const [early = '', later = ''] = times.slice(-3)
      const filters: readonly (readonly [query: string, lets: (decision: Listed) => boolean])[][] = [
        [
          ['', () => true],
          [`identity=${second}`, ({ identity }) => identity === second],
        ],
        [
          ['', () => true],
          ['outcome=DENIED', ({ outcome }) => outcome === 'DENIED'],
        ],
        [
          ['', () => true],
          ['reason=condition_not_met', ({ reason }) => reason === 'condition_not_met'],
          ['reason=allowed', ({ reason }) => reason === 'allowed'],
        ],
        [
          ['', () => true],
          ['project=ACME%2FApp', ({ claims }) => claims?.project_path === 'acme/app'],
          ['project=acme/OTHER', ({ claims }) => claims?.project_path === 'acme/other'],
        ],
        [
          ['', () => true],
          [`since=${early}&until=${later}`, ({ decideTime }) => decideTime >= early && decideTime < later],
        ],
      ]

      for (const combination of combinationsOf(filters)) {
        const query = combination.map(([text]) => `&${text}`).join('')
        const seen: string[] = []
        let pageToken = ''
        do {
          const answer = await list(`pageSize=9&pageToken=${pageToken}${query}`)
          assert.equal(answer.status, 200, answer.text)
          seen.push(...answer.json.decisions.map(({ name }: Listed) => name))
          pageToken = answer.json.nextPageToken
          if (pageToken !== '') await world.exchange('not.a.token', second)
        } while (pageToken !== '')
        const wanted = all.filter((decision) => combination.every(([, lets]) => lets(decision)))

        assert.equal(new Set(seen).size, seen.length, query)
        assert.deepEqual(
          seen.filter((name) => before.has(name)),
          wanted.map(({ name }) => name),
          query,
        )
      }
    })

    test('a page belongs to the filters that it was asked with', async () => {
      const next = async (query: string) => (await list(`pageSize=1&${query}`)).json.nextPageToken
      const token = await next('outcome=DENIED&project=acme/other')

      const again = await list(`outcome=DENIED&project=ACME/other&pageToken=${token}`)

      assert.equal(again.status, 200, again.text)
      for (const query of [
        '',
        'outcome=DENIED',
        'outcome=ALLOWED&project=acme/other',
        'outcome=DENIED&project=acme/app',
        'outcome=DENIED&project=projects/acme',
        'outcome=DENIED&project=acme/other&reason=condition_not_met',
        'outcome=DENIED&project=acme/other&kind=EXCHANGE',
        'outcome=DENIED&project=acme/other&since=2020-01-01T00:00:00Z',
        'outcome=DENIED&project=acme/other&until=2100-01-01T00:00:00Z',
        `outcome=DENIED&project=acme/other&identity=${second}`,
      ]) {
        assertProblem(await list(`${query}&pageToken=${token}`), 400, 3, /pageToken/)
      }
    })

    test('since is inclusive and until exclusive, to the millisecond and in any time zone', async () => {
      const [newest] = await listed('outcome=FAILED')
      const time = newest?.decideTime ?? ''
      const shifted = new Date(Date.parse(time) + 3_600_000).toISOString().replace('Z', '%2B01:00')
      const [, seconds = '', ms = ''] = /^(.*)\.(\d{3})Z$/.exec(time) ?? []
      const found = async (query: string) => (await listed(`outcome=FAILED&${query}`)).length

      assert.equal(await found(`since=${time}`), 1)
      assert.equal(await found(`until=${time}`), 0)
      assert.equal(await found(`since=${shifted}`), 1)
      assert.equal(await found(`until=${shifted}`), 0)
      assert.equal(await found(`since=${seconds}.${ms}1Z`), 0)
      assert.equal(await found(`until=${seconds}.${ms}1Z`), 1)
      assert.equal(await found(`since=${time}&until=${time}`), 0)
      assert.equal(await found('since=1969-01-01T00:00:00Z&until=9999-12-31T23:59:59Z'), 1)
    })

    test('a decision tells its time to the millisecond by its id too', async () => {
      for (const { name, decideTime } of await listed('pageSize=1000')) {
        const idTime = Number.parseInt(name.replace('decisions/', '').replace('-', '').slice(0, 12), 16)

        assert.equal(new Date(idTime).toISOString(), decideTime)
      }
    })

    test('a project is found in whatever case its token wrote it, and only where a token was verified', async () => {
      const path = `acme/Case-${randomUUID()}`
      const long = `acme/${'x'.repeat(1990)}`
      const sent = [
        await exchange(first, { project_path: path, sub: 'short' }),
        await exchange(first, { project_path: path, iat: 1, exp: 2 }),
        await exchange(first, { project_path: path.toUpperCase() }),
        await exchange(first, { project_path: long, sub: 'short' }),
        await exchange(first, { project_path: `${long}${'ß'.repeat(100)}`, sub: 'short' }),
        await exchange(first, { project_path: 7 }),
      ]
      const token = world.gitlab.signToken(gitlabClaims('18.4', { project_path: path }))
      await world.exchange(`${token.slice(0, -6)}AAAAAA`, first)
      const found = async (project: string) =>
        (await listed(`project=${encodeURIComponent(project)}`)).map(({ name }) => name)

      assert.deepEqual(await found(path.toLowerCase()), sent.slice(0, 3).toReversed())
      assert.deepEqual(await found(path.toUpperCase()), sent.slice(0, 3).toReversed())
      assert.deepEqual(await found(long), sent.slice(3, 4))
    })

    test('a mistyped value is answered with all that there are, and the nearest', async () => {
      const answer = await list('reason=condition_notmet')

      assertProblem(answer, 400, 3, /^The parameter reason must be /)
      for (const reason of ['token_malformed', 'allowed', 'policy_memory', 'token_replayed'])
        assert.match(answer.json.message, new RegExp(`'${reason}'`))
      assert.match(answer.json.message, /the nearest is 'condition_not_met'/)
      assertProblem(await list('kind=dry-run'), 400, 3, /kind must be .*the nearest is 'DRY_RUN'/)
      assertProblem(await list('outcome=allow'), 400, 3, /not 'allow': the nearest is 'ALLOWED'/)
      assertProblem(await list('outcome=yes'), 400, 3, /'ALLOWED', 'DENIED' or 'FAILED', not 'yes'\./)
    })

    test('what nobody has is an empty list without a next page', async () => {
      for (const query of [
        'reason=policy_memory',
        'reason=condition_not_met&outcome=ALLOWED',
        'reason=allowed&outcome=FAILED',
        'kind=DRY_RUN',
        'project=acme/none',
        'project=projects/app',
        'project=app',
        'until=2020-01-01T00:00:00Z',
        'since=2100-01-01T00:00:00Z',
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
        ['reason=nope', /reason/],
        ['reason=ALLOWED', /reason/],
        ['kind=EXCHANGES', /kind/],
        ['project=App', /project/],
        ['project=acme/', /project/],
        ['project=/acme', /project/],
        ['project=acme//app', /project/],
        ['project=projects/', /project/],
        ['project=projects/a/b', /project/],
        ['project=projects/A', /project/],
        ['project=a.b', /project/],
        ['since=2026-11-25', /since/],
        ['since=yesterday', /since/],
        ['until=1764028800', /until/],
        ['since=2026-11-25T10:00:00+01:00', /since.*%2B/],
        ['since=2026-11-26T00:00:00Z&until=2026-11-25T00:00:00Z', /since.*until/],
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
        'access',
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

/** Every way to take one of each. */
function combinationsOf<Item>(choices: readonly (readonly Item[])[]): readonly (readonly Item[])[] {
  return choices.reduce<readonly (readonly Item[])[]>(
    (done, next) => done.flatMap((items) => next.map((item) => [...items, item])),
    [[]],
  )
}
