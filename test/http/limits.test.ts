import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../decision/invariants.ts'
import { assertEchoable, assertProblem } from '../support/answers.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import {
  type Answer,
  DATABASES,
  IDENTITY_DOMAIN,
  ONE_DATABASE,
  startWorld,
  type World,
} from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app' }
type Row = Readonly<Record<string, unknown>>

for (const kind of ONE_DATABASE) {
  describe(`limits on refusals, on ${kind}`, () => {
    let world: World
    let email: string
    let projects = 1000

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    /** A project of the test's own, whose refusals nobody else is counted with. */
    const newProject = () => {
      projects += 1
      return { project_id: String(projects), job_project_id: String(projects) }
    }
    const post = (verb: string, ip: string, token: string, identity = email) =>
      world.request('POST', `/v1/auth:${verb}`, { ip, body: { token, email: identity } })
    const exchange = (ip: string, token: string, identity = email) =>
      post('exchangeToken', ip, token, identity)
    const times = async (count: number, send: (n: number) => Promise<Answer>) => {
      const answers: Answer[] = []
      for (let n = 0; n < count; n += 20)
        answers.push(
          ...(await Promise.all(Array.from({ length: Math.min(20, count - n) }, (_, m) => send(n + m)))),
        )
      return answers
    }
    const statuses = (answers: readonly Answer[]) =>
      Object.fromEntries([...Map.groupBy(answers, ({ status }) => status)].map(([s, all]) => [s, all.length]))
    const rows = async (which: (row: Row) => boolean): Promise<readonly Row[]> =>
      (await world.admin('GET', '/v1/decisions?pageSize=1000')).json.decisions.filter(which)
    /** The row that stands for what had none of its own, once it is there. */
    async function summaryOf(which: (row: Row) => boolean): Promise<Row> {
      const found: Row[] = []
      await eventually('the summary is written', async () => {
        found.push(...(await rows((row) => row.identity === null && which(row))))
        return found.length > 0
      })
      assert.equal(found.length, 1)
      return found[0] as Row
    }

    test('a thousand bad tokens of one address make ten rows and one with the count of the others', async () => {
      const ip = '203.0.113.1'

      const answers = await times(1_000, () => exchange(ip, 'not.a.token'))
      world.clock.advance(60_000)
      const summary = await summaryOf(({ callerIp }) => callerIp === ip)

      assert.deepEqual(statuses(answers), { 401: 120, 429: 880 })
      const own = await rows((row) => row.callerIp === ip && row.identity === email)
      assert.equal(own.length, 10)
      const { name: _name, decideTime, ...rest } = summary
      assert.equal(decideTime, new Date(world.clock()).toISOString())
      assert.deepEqual(rest, {
        kind: 'EXCHANGE',
        outcome: 'DENIED',
        reason: 'token_malformed',
        identity: null,
        issuerUrl: null,
        subject: null,
        claims: null,
        verdict: null,
        policyDigest: null,
        guardrailsDigest: null,
        subjectTokenHash: null,
        subjectKeyId: null,
        issuedKeyId: null,
        access: null,
        issuedExpireTime: null,
        requestId: null,
        callerIp: ip,
        userAgent: null,
        count: 990,
      })
    })

    test('an attempt without a row says the same as one with a row, but for the id', async () => {
      const ip = '203.0.113.2'

      const answers = await times(11, () => exchange(ip, 'not.a.token'))

      const ids = answers.map(({ json }) => json.details[0].decisionId)
      assert.equal(ids.filter((id) => id !== undefined).length, 10)
      for (const answer of answers) {
        const { decisionId: _id, ...details } = answer.json.details[0]
        assertProblem(answer, 401, 16, answers[0]?.json.message)
        assert.deepEqual(details, { reason: 'token_malformed' })
      }
    })

    test('after 120 in a minute an address is told to wait, for as long as it must', async () => {
      const ip = '203.0.113.3'
      await times(60, () => exchange(ip, 'not.a.token'))
      world.clock.advance(12_500)
      const within = await times(60, () => post('explainToken', ip, 'not.a.token'))

      const beyond = await exchange(ip, 'not.a.token')
      const explained = await post('explainToken', ip, 'not.a.token')
      world.clock.advance(47_499)
      const lastMoment = await exchange(ip, 'not.a.token')
      world.clock.advance(1)
      const afterwards = await exchange(ip, 'not.a.token')

      assert.deepEqual(statuses(within), { 200: 60 })
      for (const [answer, seconds] of [
        [beyond, '48'],
        [explained, '48'],
        [lastMoment, '1'],
      ] as const) {
        assertProblem(answer, 429, 8, /^[^.]+\.$/)
        assert.equal(answer.text, beyond.text)
        assert.deepEqual(answer.json.details, [])
        assert.equal(answer.headers.get('retry-after'), seconds)
        assertEchoable(answer)
      }
      assert.equal(afterwards.status, 401)
    })

    test("a good token is never refused for somebody else's failures from its address", async () => {
      const ip = '203.0.113.4'
      await times(200, () => exchange(ip, 'not.a.token'))

      const good = await exchange(ip, sign(), email)
      const explained = await post('explainToken', ip, sign())
      const denied = await exchange(ip, sign({ project_path: 'acme/other', ...newProject() }))
      const elsewhere = await exchange('203.0.113.5', 'not.a.token')

      assert.deepEqual(
        [good, explained, denied, elsewhere].map(({ status }) => status),
        [200, 200, 403, 401],
      )
    })

    test('the addresses of one IPv6 network are one, and an IPv4 address in an IPv6 one is itself', async () => {
      const network = await times(121, (n) => exchange(`2001:db8:5:6:${n.toString(16)}::1`, 'not.a.token'))
      const mapped = await times(121, (n) =>
        exchange(n % 2 ? '203.0.113.6' : '::ffff:203.0.113.6', 'not.a.token'),
      )
      const neighbour = await exchange('2001:db8:5:7::1', 'not.a.token')

      assert.deepEqual(statuses(network), { 401: 120, 429: 1 })
      assert.deepEqual(statuses(mapped), { 401: 120, 429: 1 })
      assert.equal(neighbour.status, 401)
      world.clock.advance(60_000)
      const summary = await summaryOf(({ callerIp }) => callerIp === '2001:db8:5:6::/64')
      assert.equal(summary.count, 111)
    })

    test('after 300 refusals in a minute a project is told to wait, inside and outside of the group alike', async () => {
      const project = newProject()
      const inside = await world.createIdentity([{ ...RULE, project: 'other' }])
      const outside = await world.createIdentity([{ ...RULE, group: 'others' }])
      const targets = [inside, outside, `nobody@${IDENTITY_DOMAIN}`]
      const within = await times(300, (n) => world.exchange(sign(project), targets[n % targets.length] ?? ''))

      const beyond: Answer[] = []
      for (const target of targets) beyond.push(await world.exchange(sign(project), target))
      const explained = await world.request('POST', '/v1/auth:explainToken', {
        body: { token: sign(project), email: outside },
      })
      const good = await world.exchange(sign(project), email)
      const other = await world.exchange(sign(newProject()), inside)

      assert.deepEqual(statuses(within), { 401: 200, 403: 100 })
      for (const answer of [...beyond, explained]) {
        assertProblem(answer, 429, 8, /^[^.]+\.$/)
        assert.equal(answer.text, beyond[0]?.text)
        assert.equal(answer.headers.get('retry-after'), '60')
        assert.deepEqual(headersOf(answer), headersOf(beyond[0] as Answer))
      }
      assert.deepEqual([good.status, other.status], [200, 403])
      world.clock.advance(60_000)
      const summaryOfKind = (wanted: string) =>
        summaryOf(
          (row) =>
            row.kind === wanted && JSON.stringify(row.claims) === `{"project_id":"${project.project_id}"}`,
        )
      const summary = await summaryOfKind('EXCHANGE')
      assert.equal(summary.count, 3)
      assert.equal((await summaryOfKind('DRY_RUN')).count, 1)
      assert.equal(summary.issuerUrl, world.gitlab.issuerUrl)
      assert.equal(summary.reason, 'condition_not_met')
      assert.equal((await world.exchange(sign(project), inside)).status, 403)
    })

    test('replays count as the refusals they are, and have no row where there were too many', async () => {
      const project = newProject()
      const identity = await world.createIdentity([RULE])
      const token = sign(project)
      await world.exchange(token, identity)

      const replays = await times(310, () => world.exchange(token, identity))
      const fresh = await world.exchange(sign(project), identity)
      const late = await world.exchange(token, identity)
      world.clock.advance(60_000)
      const summary = await summaryOf(({ reason }) => reason === 'token_replayed')

      assert.deepEqual(statuses(replays), { 403: 300, 429: 10 })
      assert.deepEqual([fresh.status, late.status], [200, 429])
      const own = (await rows((row) => row.identity === identity && row.reason === 'token_replayed')).length
      assert.equal(own + Number(summary.count), 311)
      assert.ok(own <= 320, `${own} rows`)
    })

    test('who is told to wait is still decided by current rules', async () => {
      const project = newProject()
      const id = `limited-${kind}`
      const identity = await world.createIdentity([{ ...RULE, project: 'other' }], { id })
      const instance = kind === 'postgresql' ? await world.startInstance() : world.app
      const exchangeThere = () =>
        world.request('POST', '/v1/auth:exchangeToken', {
          url: instance.url,
          body: { token: sign(project), email: identity },
        })
      const limited = (await times(301, exchangeThere)).at(-1)

      await world.admin('DELETE', `/v1/workloadIdentities/${identity}`)
      await world.createIdentity([RULE], { id })
      const mended = await exchangeThere()

      assert.ok([403, 429].includes(limited?.status ?? 0))
      assert.equal(mended.status, 200, mended.text)
    })

    test('an identity that was changed meanwhile counts a refusal once, as one that there is not', async () => {
      const claims = { project_path: 'outsider/app', namespace_path: 'outsider', ...newProject() }
      const changed = await world.createIdentity([RULE])
      const send = (identity: string) => exchange('203.0.113.9', sign(claims), identity)
      await send(changed)
      await times(298, () => send(`nobody@${IDENTITY_DOMAIN}`))
      await world.admin('PATCH', `/v1/workloadIdentities/${changed}`, { title: 'Changed' })

      const last = await send(changed)
      const beyond = await send(changed)

      assert.equal(last.status, 401, last.text)
      assert.equal(beyond.status, 429, beyond.text)
    })

    test("an issuer that does not answer is nobody's fault: no one is told of too many, and rows are bounded", async (t) => {
      const other = await startWorld(kind)
      t.after(() => other.close())
      const identity = await other.createIdentity([RULE])
      other.gitlab.behave({ discovery: { status: 500 }, jwks: { status: 500 } })
      const ip = '203.0.113.7'
      const send = () =>
        other.request('POST', '/v1/auth:exchangeToken', {
          ip,
          body: { token: other.gitlab.signToken(gitlabClaims('18.4')), email: identity },
        })

      const answers = await times(130, send)
      other.clock.advance(60_000)

      assert.deepEqual(statuses(answers), { 503: 130 })
      await eventually('the summary is written', async () => {
        const { decisions } = (await other.admin('GET', '/v1/decisions?pageSize=100&outcome=FAILED')).json
        const counts = decisions.map(({ count }: { count: number }) => count)
        return counts.length === 11 && Math.max(...counts) === 120
      })
    })

    test('what nobody wrote down yet is written when the service ends', {
      skip: kind === 'embedded',
    }, async () => {
      const ip = '203.0.113.8'
      const instance = await world.startInstance()
      await times(15, () =>
        world.request('POST', '/v1/auth:exchangeToken', {
          ip,
          url: instance.url,
          body: { token: 'not.a.token', email },
        }),
      )

      await instance.close()

      const summary = await summaryOf(({ callerIp }) => callerIp === ip)
      assert.equal(summary.count, 5)
    })
  })
}

function headersOf({ headers }: Answer): object {
  const { date: _date, 'x-request-id': _id, ...rest } = Object.fromEntries(headers)
  return rest
}

describe('a flood of bad tokens', {
  skip: DATABASES.length < 2 ? 'there is no PostgreSQL server' : false,
}, () => {
  let world: World
  let proxy: DatabaseProxy

  before(async () => {
    world = await startWorld('postgresql')
    proxy = await startDatabaseProxy(world.databaseUrl ?? '')
  })
  after(async () => {
    await world?.close()
    await proxy?.close()
  })

  test('costs the database nothing beyond its rows where no registered issuer is named', async () => {
    const { url } = await world.startInstance({ DATABASE_URL: proxy.url })
    const flood = async (count: number) => {
      for (let n = 0; n < count; n++) {
        await world.request('POST', '/v1/auth:exchangeToken', {
          url,
          ip: '203.0.113.9',
          body: { token: 'not.a.token', email: `nobody@${IDENTITY_DOMAIN}` },
        })
      }
    }
    await flood(10)
    const before = proxy.roundTrips()

    await flood(300)

    assert.equal(proxy.roundTrips() - before, 0)
  })
})
