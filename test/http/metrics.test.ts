import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { type Exposition, parseExposition, type Sample, sumOf } from '../support/exposition.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const SECRET_GROUP = 'secret-group'

for (const kind of ONE_DATABASE) {
  describe(`metrics on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind, { METRICS_PORT: '0' })
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const sign = (claims: Claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    const openText = async () =>
      (await world.request('GET', '/metrics', { isApi: false, url: world.app.metricsUrl ?? '' })).text
    const open = async () => parseExposition(await openText())
    const all = async () => {
      const answer = await world.admin('GET', '/metrics')
      assert.equal(answer.status, 200)
      return parseExposition(answer.text)
    }
    /** How much samples grew while something was done. */
    async function growth(read: () => Promise<Exposition>, work: () => Promise<unknown>) {
      const before = await read()
      await work()
      const now = await read()
      return (name: string, labels: Record<string, string> = {}) =>
        sumOf(now, name, labels) -
        (before.has(name) || before.has(name.replace(/_(sum|count)$/, '')) ? sumOf(before, name, labels) : 0)
    }

    test('are text of the format 0.0.4, every metric with a help, in base units and named as Prometheus names them', async () => {
      await world.exchange(sign(), email)

      const answer = await world.request('GET', '/metrics', { isApi: false, url: world.app.metricsUrl ?? '' })

      assert.equal(answer.status, 200)
      assert.match(
        answer.headers.get('content-type') ?? '',
        /^text\/plain; (?=.*version=0\.0\.4)(?=.*charset=utf-8)/,
      )
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      for (const [name, { help, type, samples }] of await all()) {
        assert.ok(help.length > 10, name)
        if (!name.startsWith('claimgate_')) continue
        assert.equal(name.endsWith('_total'), type === 'counter', name)
        assert.doesNotMatch(name, /_(ms|millis|minutes|kb|mb)\b/, name)
        if (type === 'histogram') assertCumulative(name, samples)
      }
    })

    test('count an exchange by its outcome and reason, and time each of its steps once', async () => {
      const grown = await growth(all, () => world.exchange(sign(), email))

      assert.equal(
        grown('claimgate_exchanges_total', { kind: 'EXCHANGE', outcome: 'ALLOWED', reason: 'allowed' }),
        1,
      )
      assert.equal(grown('claimgate_exchanges_total'), 1)
      for (const step of ['token_verify', 'policy_evaluate', 'decision_record', 'token_sign', 'exchange']) {
        assert.equal(grown(`claimgate_${step}_seconds_count`), 1, step)
        const seconds = grown(`claimgate_${step}_seconds_sum`)
        assert.ok(seconds > 0 && seconds < 8, `${step}: ${seconds}`)
      }
      assert.equal(grown('claimgate_decision_batch_size_count'), 1)
      assert.equal(grown('claimgate_decision_batch_size_sum'), 1)
    })

    for (const [what, claims, reason] of [
      ['an expired token', { exp: 1 }, 'token_expired'],
      ['another project of the group', { project_path: 'acme/other' }, 'condition_not_met'],
      ['another audience', { aud: 'https://elsewhere.example' }, 'token_audience'],
    ] as const) {
      test(`count a refusal that is told by its reason: ${what}`, async () => {
        const grown = await growth(open, () => world.exchange(sign(claims), email))

        assert.equal(grown('claimgate_exchanges_total', { outcome: 'DENIED', reason }), 1)
        assert.equal(grown('claimgate_token_sign_seconds_count'), 0)
      })
    }

    test('count requests by the template of their route, never by their path', async () => {
      const path = `/v1/workloadIdentities/${email}`

      const grown = await growth(open, async () => {
        await world.admin('GET', path)
        await world.request('GET', path)
        await world.request('GET', '/no/such-path-here')
        await world.request('PUT', path)
      })

      const route = '/v1/workloadIdentities/{email}'
      assert.equal(grown('claimgate_http_requests_total', { method: 'GET', route, status: '200' }), 1)
      assert.equal(grown('claimgate_http_requests_total', { method: 'GET', route, status: '401' }), 1)
      assert.equal(
        grown('claimgate_http_requests_total', { method: 'none', route: 'none', status: '404' }),
        1,
      )
      assert.equal(
        grown('claimgate_http_requests_total', { method: 'none', route: 'none', status: '405' }),
        1,
      )
      assert.equal(grown('claimgate_http_request_seconds_count', { route }), 2)
    })

    test("count fetches of an issuer's keys by the issuer's id, and failures by why", async () => {
      const { json } = await world.admin('GET', `/v1/workloadIdentities/${email}`)
      assert.equal(json.workloadIdentityConfig.issuerUrl, world.gitlab.issuerUrl)
      await world.exchange(sign(), email)
      world.clock.advance(11 * 60_000)
      world.gitlab.behave({ jwks: { status: 500 } })

      const grown = await growth(open, () => world.exchange(sign(), email))
      world.gitlab.behave({})
      const metrics = await open()

      assert.equal(grown('claimgate_key_fetches_total', { result: 'status' }), 1)
      assert.equal(grown('claimgate_key_fetches_total', { result: 'ok' }), 0)
      assert.equal(grown('claimgate_key_fetch_seconds_count'), 1)
      const [sample] = metrics.get('claimgate_key_fetch_success_timestamp_seconds')?.samples ?? []
      assert.match(sample?.labels.issuer ?? '', /^i-127-0-0-1-\d+$/)
      assert.ok(Math.abs((sample?.value ?? 0) - Date.now() / 1000) < 120)
    })

    test('tell an administrator of caches, policies and what refusals did not say', async () => {
      await world.exchange(sign(), email)

      const grown = await growth(all, async () => {
        await world.exchange(sign(), email)
        await world.exchange(sign(), `nobody@${IDENTITY_DOMAIN}`)
        await world.exchange(sign({ project_path: `${SECRET_GROUP}/app` }), email)
      })
      const metrics = await all()

      assert.equal(grown('claimgate_cache_hits_total', { cache: 'identities' }), 2)
      assert.equal(grown('claimgate_cache_misses_total', { cache: 'identities' }), 1)
      assert.equal(grown('claimgate_cache_hits_total', { cache: 'issuers' }), 3)
      assert.ok(sumOf(metrics, 'claimgate_cache_entries', { cache: 'policies' }) >= 2)
      assert.ok(sumOf(metrics, 'claimgate_policy_bytes') > 0)
      assert.equal(sumOf(metrics, 'claimgate_policy_worker_replacements_total'), 0)
      assert.equal(grown('claimgate_undisclosed_refusals_total', { reason: 'identity_unknown' }), 1)
      assert.equal(grown('claimgate_undisclosed_refusals_total', { reason: 'condition_not_met' }), 1)
      assert.equal(grown('claimgate_exchanges_total', { reason: 'undisclosed' }), 2)
    })

    test('on their own port nothing but time differs between an identity that exists and one that does not', async () => {
      const never = await world.createIdentity([{ group: SECRET_GROUP }])
      const deleted = await world.createIdentity([RULE], { id: 'was-deleted' })
      await world.admin('DELETE', `/v1/workloadIdentities/${deleted}`)
      const outsider = () => sign({ project_path: 'outsider/app', namespace_path: 'outsider' })
      await world.exchange(outsider(), `nobody@${IDENTITY_DOMAIN}`)
      const told = async (target: string) => {
        const before = countsOf(await open())
        await world.exchange(outsider(), target)
        const now = countsOf(await open())
        return [...now]
          .map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const)
          .filter(([, n]) => n !== 0)
      }

      const unknown = await told(`nobody@${IDENTITY_DOMAIN}`)

      assert.ok(unknown.some(([key]) => key.startsWith('claimgate_exchanges_total')))
      // The first time, when nothing of it is in any cache, and again.
      for (const target of [never, never, deleted, email])
        assert.deepEqual(await told(target), unknown, target)
    })

    test('hold no name of an identity, no token and no claim', async () => {
      const token = sign({ user_email: 'jane.doe@example.com' })
      const { json } = await world.exchange(token, email)
      await world.request('GET', `/v1/users/me?x=${token}`, {
        headers: { authorization: `Bearer ${json.accessToken}` },
      })
      await world.request('POST', `/v1/auth:${token}`)

      const { text } = await world.admin('GET', '/metrics')

      for (const secret of [
        token,
        json.accessToken,
        world.adminToken,
        email,
        'acme',
        SECRET_GROUP,
        'jane.doe',
        '127.0.0.1',
        IDENTITY_DOMAIN,
      ]) {
        assert.ok(!text.includes(secret), `it tells ${secret.slice(0, 12)}`)
      }
      assert.doesNotMatch(text, /eyJ|sha256|@/)
    })

    test('have a port where nothing else is, not even for an administrator', async () => {
      const at = {
        isApi: false,
        url: world.app.metricsUrl ?? '',
        headers: { authorization: `Bearer ${world.adminToken}` },
      }

      for (const path of ['/', '/healthz', '/v1/decisions', '/metrics/', '/v1/auth:exchangeToken']) {
        assertProblem(await world.request('GET', path, at), 404, 5, /nothing at this path/)
      }
      assertProblem(await world.request('POST', '/metrics', at), 405, 12, /./)
    })

    test('beside the API are for an administrator alone', async () => {
      assertProblem(await world.request('GET', '/metrics'), 401, 16, /admin token/)
      const wrong = { authorization: `Bearer ${world.adminToken}x` }
      assertProblem(await world.request('GET', '/metrics', { headers: wrong }), 401, 16, /admin token/)
    })

    test('tell of the pool where there is one', async () => {
      const metrics = await open()

      if (kind === 'embedded') return assert.ok(!metrics.has('claimgate_database_connections'))
      assert.ok(sumOf(metrics, 'claimgate_database_connections') >= 1)
      assert.equal(sumOf(metrics, 'claimgate_database_requests_waiting'), 0)
    })
  })
}

/** Everything that counts something, without what is a time, a size or a state of the process. */
function countsOf(metrics: Exposition): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const [name, { type, samples }] of metrics) {
    if (!name.startsWith('claimgate_') || type === 'gauge') continue
    for (const sample of samples) {
      if (/_(sum|bucket)$/.test(sample.name)) continue
      if (sample.labels.route === '/metrics') continue
      counts.set(`${sample.name} ${JSON.stringify(sample.labels)}`, sample.value)
    }
  }
  return counts
}

/** Buckets never fall, and the last holds all. */
function assertCumulative(name: string, samples: readonly Sample[]): void {
  const seen = new Map<string, number>()
  for (const { name: sample, labels, value } of samples) {
    const { le, ...rest } = labels
    const key = JSON.stringify(rest)
    if (sample.endsWith('_bucket')) {
      assert.ok(le !== undefined && value >= (seen.get(key) ?? 0), name)
      seen.set(key, value)
    }
    if (sample.endsWith('_count')) assert.equal(value, seen.get(key), name)
  }
}
