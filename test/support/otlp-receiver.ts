import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as it came in, with its attributes as plain values. */
export type ReceivedSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly failed: boolean
  readonly durationMs: number
  readonly attributes: Readonly<Record<string, string | number>>
  readonly resource: Readonly<Record<string, string | number>>
}

export type OtlpReceiver = {
  readonly url: string
  /** Every span so far. */
  readonly spans: readonly ReceivedSpan[]
  /** Every body as it came. */
  readonly bodies: readonly string[]
  /** How it answers from now on; `hang` never does. */
  behave(how: 'answer' | 'hang' | 'fail'): void
  close(): Promise<void>
}

type KeyValue = { readonly key: string; readonly value: Readonly<Record<string, string | number>> }

/** A collector that takes traces over OTLP/HTTP in JSON (opentelemetry-proto, trace/v1). */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const bodies: string[] = []
  let behaviour = 'answer'
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (behaviour === 'hang') return
    if (behaviour === 'fail') return void response.writeHead(500).end()
    assert.equal(request.method, 'POST')
    assert.equal(request.url, '/v1/traces')
    assert.equal(request.headers['content-type'], 'application/json')
    bodies.push(body)
    spans.push(...readSpans(body))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    behave(how) {
      behaviour = how
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function readSpans(body: string): readonly ReceivedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: others' format
  return JSON.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: others' format
    scopeSpans.flatMap((scope: any) => scope.spans.map((span: any) => toSpan(span, resource))),
  )
}

// biome-ignore lint/suspicious/noExplicitAny: others' format
function toSpan(span: any, resource: { attributes: readonly KeyValue[] }): ReceivedSpan {
  assert.match(span.traceId, /^[0-9a-f]{32}$/)
  assert.match(span.spanId, /^[0-9a-f]{16}$/)
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    name: span.name,
    kind: span.kind,
    failed: span.status?.code === 2,
    durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
    attributes: plain(span.attributes),
    resource: plain(resource.attributes),
  }
}

function plain(attributes: readonly KeyValue[]): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] ?? '']))
}
