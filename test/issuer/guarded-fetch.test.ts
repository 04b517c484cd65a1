import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { createGuardedFetch, type FetchedJson } from '../../src/issuer/guarded-fetch.ts'

const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
})

/** A server on loopback; gives its origin under the host name or address. */
async function serve(listener: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://${host}:${(server.address() as AddressInfo).port}`
}

function answering(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  status = 200,
): RequestListener {
  return (_request, response) => void response.writeHead(status, headers).end(body)
}

/** Fetches `path` from an issuer that is listed as private. */
function fetchPrivately(
  issuerUrl: string,
  url = `${issuerUrl}/keys`,
  signal = AbortSignal.timeout(30_000),
): Promise<FetchedJson> {
  return createGuardedFetch({ privateIssuers: [issuerUrl] })(url, issuerUrl, signal)
}

async function assertFails(fetching: Promise<FetchedJson>, code: string): Promise<void> {
  await assert.rejects(fetching, (error) => error instanceof Error && 'code' in error && error.code === code)
}

describe('a private issuer is fetched from', () => {
  test('by its address', async () => {
    const issuerUrl = await serve(answering('{"keys":[]}', { 'cache-control': 'public, max-age=300' }))

    assert.deepEqual(await fetchPrivately(issuerUrl), { body: { keys: [] }, maxAgeSeconds: 300 })
  })

  test('by a name, with that name in the request', async () => {
    const issuerUrl = await serve(
      (request, response) => void response.end(JSON.stringify(request.headers)),
      'localhost',
    )

    const { body } = await fetchPrivately(issuerUrl)

    assert.equal((body as { host: string }).host, new URL(issuerUrl).host)
  })

  for (const [encoding, compress] of Object.entries({
    gzip: gzipSync,
    deflate: deflateSync,
    br: brotliCompressSync,
  })) {
    test(`compressed by ${encoding}`, async () => {
      const issuerUrl = await serve(answering(compress('{"a":1}'), { 'content-encoding': encoding }))

      assert.deepEqual(await fetchPrivately(issuerUrl), { body: { a: 1 } })
    })
  }

  test('up to 256 KiB', async () => {
    const issuerUrl = await serve(answering(JSON.stringify('x'.repeat(256 * 1024 - 2))))

    assert.equal((await fetchPrivately(issuerUrl)).body, 'x'.repeat(256 * 1024 - 2))
  })
})

describe('a fetch fails, and says why by a code', () => {
  const cases: readonly [string, RequestListener, string][] = [
    ['a redirect, also to where it may', answering('{}', { location: '/keys' }, 302), 'redirect'],
    ['a permanent redirect', answering('{}', { location: 'http://169.254.169.254/' }, 308), 'redirect'],
    ['not found', answering('{}', {}, 404), 'status'],
    ['an error', answering('{}', {}, 500), 'status'],
    ['another success', answering('', {}, 204), 'status'],
    ['HTML', answering('<html>', { 'content-type': 'text/html' }), 'json'],
    ['nothing', answering(''), 'json'],
    ['a member twice', answering('{"keys":[],"keys":[]}'), 'json'],
    ['bytes that are not UTF-8', answering(Buffer.from([0x22, 0xff, 0x22])), 'json'],
    ['a byte order mark', answering('\uFEFF{}'), 'json'],
    ['too much', answering(JSON.stringify('x'.repeat(256 * 1024))), 'size'],
    [
      'too much once decompressed',
      answering(gzipSync('x'.repeat(20_000_000)), { 'content-encoding': 'gzip' }),
      'size',
    ],
    ['a broken compression', answering('{}', { 'content-encoding': 'gzip' }), 'json'],
    ['an unknown compression', answering('{}', { 'content-encoding': 'zstd' }), 'json'],
    ['two compressions', answering(gzipSync(gzipSync('{}')), { 'content-encoding': 'gzip, gzip' }), 'json'],
    ['a connection that is cut', (request) => void request.socket.destroy(), 'connection'],
    [
      'a body without an end',
      (_request, response) => {
        const write = () => {
          while (response.write('x'.repeat(65_536)));
        }
        write()
        response.on('drain', write)
      },
      'size',
    ],
  ]
  for (const [name, listener, code] of cases) {
    test(name, async () => {
      const issuerUrl = await serve(listener)

      await assertFails(fetchPrivately(issuerUrl), code)
    })
  }

  test('an answer that never comes', async () => {
    const issuerUrl = await serve(() => undefined)

    await assertFails(fetchPrivately(issuerUrl, undefined, AbortSignal.timeout(30)), 'timeout')
  })

  test('an answer that stops half-way', async () => {
    const issuerUrl = await serve((_request, response) => void response.writeHead(200).write('{'))

    await assertFails(fetchPrivately(issuerUrl, undefined, AbortSignal.timeout(30)), 'timeout')
  })

  test('a signal that was given already', async () => {
    const issuerUrl = await serve(answering('{}'))

    await assertFails(fetchPrivately(issuerUrl, undefined, AbortSignal.abort()), 'timeout')
  })

  test('a port that nobody listens on', async () => {
    await assertFails(fetchPrivately('http://127.0.0.1:1'), 'connection')
  })

  test('a name that does not exist', async () => {
    await assertFails(fetchPrivately(`http://${'x'.repeat(64)}.example`), 'dns')
  })

  test('TLS that is none', async () => {
    const issuerUrl = (await serve(answering('{}'))).replace('http:', 'https:')

    await assertFails(fetchPrivately(issuerUrl), 'tls')
  })
})

describe('an issuer that is not listed as private is not fetched from', () => {
  test('when its name leads to an address that is not public', async () => {
    let requests = 0
    const origin = await serve(() => void requests++, 'localhost')
    const issuerUrl = origin.replace('http:', 'https:')
    const fetchJson = createGuardedFetch({ privateIssuers: [`${issuerUrl}/`, origin] })

    await assertFails(fetchJson(`${issuerUrl}/keys`, issuerUrl, AbortSignal.timeout(30_000)), 'address')
    assert.equal(requests, 0)
  })

  for (const issuerUrl of ['https://127.0.0.1', 'https://127.1', 'https://[::1]', 'http://gitlab.com']) {
    test(`when it is ${issuerUrl}`, async () => {
      const fetchJson = createGuardedFetch({ privateIssuers: [] })

      await assertFails(fetchJson(`${issuerUrl}/keys`, issuerUrl, AbortSignal.timeout(30_000)), 'url')
    })
  }
})

describe('a private issuer cannot send us anywhere else', () => {
  const urls = (origin: string) => [
    'http://127.0.0.1:1/keys',
    'http://169.254.169.254/latest',
    `${origin.replace('127.0.0.1', 'localhost')}/keys`,
    `${origin.replace('http://', 'http://user:secret@')}/keys`,
    `${origin}/keys?a=b`,
    `${origin}/keys#a`,
    'file:///etc/passwd',
    'keys',
    '',
  ]

  test('not by another origin, a query or a password', async () => {
    const origin = await serve(answering('{}'))

    for (const url of urls(origin)) await assertFails(fetchPrivately(origin, url), 'url')
  })
})

test('the error shows nothing of the network; the cause is for the log', async () => {
  const error = await fetchPrivately('http://127.0.0.1:1').catch((caught: unknown) => caught)

  assert.ok(error instanceof Error)
  assert.doesNotMatch(error.message, /127|ECONN/)
  assert.match(String(error.cause), /ECONNREFUSED/)
})
