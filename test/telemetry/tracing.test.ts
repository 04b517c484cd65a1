import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '../decision/invariants.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const SERVER = 2
const EXCHANGE = 'POST /v1/auth:exchangeToken'

for (const kind of ONE_DATABASE) {
  describe(`traces on ${kind}`, () => {
    let collector: OtlpReceiver
    let world: World
    let email: string
    let traceId: string

    before(async () => {
      collector = await startOtlpReceiver()
      world = await startWorld(kind, { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/` })
      email = await world.createIdentity([RULE])
    })
    after(async () => {
      await world?.close()
      await collector?.close()
    })
    beforeEach(() => {
      collector.behave('answer')
      traceId = randomBytes(16).toString('hex')
    })

    const sign = (claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    const exchange = (token: string, traceparent = `00-${traceId}-00f067aa0ba902b7-01`, target = email) =>
      world.request('POST', '/v1/auth:exchangeToken', {
        body: { token, email: target },
        headers: { traceparent },
      })
    const spansOf = (id: string) => collector.spans.filter((span) => span.traceId === id)
    async function traceOf(id: string, count: number) {
      await eventually('the trace is there', () => spansOf(id).length >= count)
      return spansOf(id)
    }

    test("go on with the caller's trace: the request, and its steps beneath it", async () => {
      const { json } = await exchange(sign())

      const spans = await traceOf(traceId, 5)

      const request = spans.find(({ name }) => name === EXCHANGE)
      assert.ok(request)
      assert.equal(request.parentSpanId, '00f067aa0ba902b7')
      assert.equal(request.kind, SERVER)
      assert.deepEqual(request.attributes, {
        'http.request.method': 'POST',
        'http.route': '/v1/auth:exchangeToken',
        'http.response.status_code': 200,
        'claimgate.outcome': 'ALLOWED',
        'claimgate.reason': 'allowed',
        'claimgate.decision': json.decisionId,
      })
      const steps = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId)
      assert.deepEqual(steps.map(({ name }) => name).sort(), ['evaluate', 'record', 'sign', 'verify'])
      for (const { durationMs } of steps) assert.ok(durationMs <= request.durationMs)
      assert.equal(request.resource['service.name'], 'claimgate')
      assert.match(String(request.resource['service.version']), /^\d+\.\d+\.\d+$/)
    })

    test("hold the fetch of an issuer's keys beneath the verification that needed it", async () => {
      world.clock.advance(11 * 60_000)
      await exchange(sign())

      const spans = await traceOf(traceId, 6)

      const verify = spans.find(({ name }) => name === 'verify')
      const fetched = spans.find(({ name }) => name === 'fetch keys')
      assert.ok(fetched && fetched.parentSpanId === verify?.spanId)
      assert.match(String(fetched.attributes['claimgate.issuer']), /^i-127-0-0-1/)
    })

    test('mark a fault, and end a refusal without a signature', async () => {
      await exchange(sign({ project_path: 'acme/other' }))

      const spans = await traceOf(traceId, 4)

      assert.ok(!spans.some(({ name, failed }) => name === 'sign' || failed))
      assert.equal(
        spans.find(({ name }) => name === EXCHANGE)?.attributes['claimgate.reason'],
        'condition_not_met',
      )
    })

    for (const [what, traceparent] of [
      ['none', ''],
      ['one that is malformed', '00-xyz-00f067aa0ba902b7-01'],
      ['one of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ] as const) {
      test(`begin a trace of their own where the caller gives ${what}`, async () => {
        const { json } = await exchange(sign(), traceparent)

        const isOurs = ({ attributes }: { attributes: object }) =>
          Object.values(attributes).includes(json.decisionId)
        await eventually('the trace is there', () => collector.spans.some(isOurs))

        assert.equal(collector.spans.find(isOurs)?.parentSpanId, '')
      })
    }

    test('are not sent of a trace that the caller does not sample', async () => {
      const other = randomBytes(16).toString('hex')
      await exchange(sign(), `00-${traceId}-00f067aa0ba902b7-00`)
      await exchange(sign(), `00-${other}-00f067aa0ba902b7-01`)

      await traceOf(other, 5)

      assert.deepEqual(spansOf(traceId), [])
    })

    test('hold no token, no email and no claim, whatever is asked for', async () => {
      const token = sign({ user_email: 'jane.doe@example.com' })
      const { json } = await exchange(token)
      await exchange(token)
      await exchange(token, undefined, `nobody@${IDENTITY_DOMAIN}`)
      await exchange(`${token}x`)
      await world.request('GET', `/v1/workloadIdentities/${email}?x=${token}`)
      await world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${json.accessToken}` } })
      await world.request('POST', `/v1/auth:${token}`)
      const last = randomBytes(16).toString('hex')
      await exchange(sign(), `00-${last}-00f067aa0ba902b7-01`)
      await traceOf(last, 5)

      const sent = collector.bodies.join('\n')

      const secrets = [
        ...token.split('.'),
        ...json.accessToken.split('.'),
        world.adminToken,
        email,
        IDENTITY_DOMAIN,
      ]
      for (const secret of [...secrets, 'acme', 'jane.doe']) {
        assert.ok(!sent.includes(secret), `it tells ${secret.slice(0, 12)}`)
      }
    })

    for (const how of ['hang', 'fail'] as const) {
      test(`a collector that ${how}s holds up no exchange`, async () => {
        collector.behave(how)
        await exchange(sign())
        const begin = performance.now()

        // A collector has five seconds to answer in: waiting for it, they would take twenty.
        for (let n = 0; n < 4; n++) assert.equal((await exchange(sign())).status, 200)

        assert.ok(performance.now() - begin < 10_000)
      })
    }

    test('are all sent before the service ends', async () => {
      const service = await world.startInstance()
      const answer = await world.request('POST', '/v1/auth:exchangeToken', {
        url: service.url,
        body: { token: sign(), email },
        headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      })

      await service.close()

      assert.equal(answer.status, 200)
      assert.equal(spansOf(traceId).length, 6, 'the request, four steps, the fetch of keys')
    })

    test('do not keep a service that ends from ending, where the collector hangs', async () => {
      const service = await world.startInstance()
      await world.request('GET', '/healthz', { url: service.url })
      collector.behave('hang')
      const begin = performance.now()

      await service.close()

      assert.ok(performance.now() - begin < 13_000)
    })
  })
}

describe('a process', () => {
  test('is called as OTEL_SERVICE_NAME says, and its log names the trace', async (t) => {
    const collector = await startOtlpReceiver()
    t.after(() => collector.close())
    const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-trace-'))
    t.after(() => rmSync(dataDir, { recursive: true }))
    copyEmbeddedTemplate(dataDir)
    const service = await startServiceProcess({
      PORT: '0',
      PUBLIC_URL: 'http://localhost',
      DATA_DIR: dataDir,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'gate-of-team-a',
    })
    t.after(() => service.stop('SIGKILL'))
    const traceId = randomBytes(16).toString('hex')
    await fetch(`${service.url}/healthz`, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } })

    assert.equal(await service.stop(), 0)

    const [span] = collector.spans.filter((each) => each.traceId === traceId)
    assert.equal(span?.resource['service.name'], 'gate-of-team-a')
    const line = service.lines.map((text) => JSON.parse(text)).find(({ route }) => route === '/healthz')
    assert.equal(line.trace_id, traceId)
    assert.ok(!service.lines.some((text) => /is not a setting/.test(text)))
  })

  test('that is not asked for traces loads nothing of what makes them', async () => {
    const telemetry = JSON.stringify(new URL('../../src/telemetry/telemetry.ts', import.meta.url).href)
    const loadedBy = async (endpoint: string) => {
      const script = `
        import { registerHooks } from 'node:module'
        const loaded = []
        registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
        const { openTelemetry } = await import(${telemetry})
        await (await openTelemetry(${endpoint})).tracing.close(0)
        console.log(loaded.filter((url) => /@opentelemetry.(?!api)/.test(url)).length)`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
      return Number(stdout)
    }

    assert.equal(await loadedBy('undefined'), 0)
    assert.ok((await loadedBy("'http://127.0.0.1:1'")) > 0)
  })
})
