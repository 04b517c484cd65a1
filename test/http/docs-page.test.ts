import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { z } from 'zod'
import { renderDocsPage } from '../../src/http/docs-page.ts'
import { createOpenApi } from '../../src/http/openapi.ts'
import { defineRoute } from '../../src/http/route.ts'
import { type Answer, DATABASES, startWorld, type World } from '../support/world.ts'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))

describe('the page that describes the API', () => {
  let world: World
  let page: Answer

  before(async () => {
    world = await startWorld(DATABASES[0])
    page = await world.request('GET', '/docs')
  })
  after(() => world?.close())

  test('is HTML for everybody, with the headers of every answer', () => {
    assert.equal(page.status, 200)
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(page.headers.get('cache-control'), 'no-store')
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
    assert.ok(page.headers.get('x-request-id'))
  })

  test('tells every operation and every schema, each once', async () => {
    const api = (await world.request('GET', '/openapi.json')).json
    const ids = idsOf(page.text)

    const operations = Object.values<Record<string, { operationId: string }>>(api.paths).flatMap((ofPath) =>
      Object.values(ofPath).map(({ operationId }) => operationId),
    )
    const expected = [...operations, ...Object.keys(api.components.schemas).map((name) => `schema-${name}`)]

    assert.deepEqual(
      expected.filter((id) => !ids.includes(id)),
      [],
    )
    assert.equal(new Set(ids).size, ids.length)
  })

  test('has no link that leads nowhere, and none to another host', () => {
    const links = [...page.text.matchAll(/\shref="([^"]*)"/g)].map(([, link = '']) => link)
    const ids = idsOf(page.text)

    const lost = links.filter((link) =>
      link.startsWith('#') ? !ids.includes(link.slice(1)) : !LINKS.has(link),
    )

    assert.ok(links.length > 30)
    assert.deepEqual(lost, [])
  })

  test('runs nothing and loads nothing, and its policy allows no more than its one style sheet', () => {
    const [style = '', ...more] = [...page.text.matchAll(/<style>(.*?)<\/style>/gs)].map(
      ([, css = '']) => css,
    )
    const policy = page.headers.get('content-security-policy') ?? ''

    assert.deepEqual(more, [])
    assert.doesNotMatch(page.text, /<(script|img|iframe|object|embed|form|base|svg|video|audio)\b/i)
    assert.doesNotMatch(page.text, /\s(src|srcset|style|on\w+)=/i)
    assert.doesNotMatch(style, /url\(|@import|<\//)
    assert.deepEqual(policy.split('; ').sort(), [
      "base-uri 'none'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      'img-src data:',
      `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    ])
  })

  test('is shown by a browser as it is meant, without a complaint', {
    skip: !CHROMIUM && 'no Chromium here',
  }, async () => {
    const { dom, log } = await openInChromium(`${world.app.url}/docs`)

    assert.match(dom, /id="exchangeToken"/)
    assert.doesNotMatch(log, /CONSOLE|Content Security Policy/)
  })
})

test('what a description says never becomes markup', () => {
  const hostile = '</code><script>alert(1)</script>"\'&`<b>`'
  const thing = z.strictObject({ [hostile]: z.enum([hostile]).meta({ description: hostile }) })
  const route = defineRoute({
    method: 'POST',
    path: '/v1/things',
    group: 'Operation',
    summary: hostile,
    access: 'public',
    query: {
      [hostile]: z
        .string()
        .regex(/<script>/)
        .meta({ description: hostile }),
    },
    body: { schema: thing.meta({ examples: [{ [hostile]: hostile }] }), limit: 32_768 },
    answer: thing.meta({ id: 'Thing' }),
    handle: async () => ({ body: {} }),
  })

  const { html } = renderDocsPage(
    createOpenApi([route], { publicUrl: 'https://x.example', version: hostile }),
  )

  assert.doesNotMatch(html, /<script|<b>/)
  assert.match(html, /&#60;script&#62;/)
})

/** Other than to a part of the page itself. */
const LINKS = new Set(['/openapi.json', 'data:,'])

function idsOf(page: string): readonly string[] {
  return [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id)
}

/** The page as a browser understands it, and what it complains of. */
async function openInChromium(url: string): Promise<{ dom: string; log: string }> {
  const profile = mkdtempSync(join(tmpdir(), 'claimgate-chromium-'))
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--enable-logging=stderr',
    `--user-data-dir=${profile}`,
    '--dump-dom',
  ]
  try {
    const { stdout, stderr } = await promisify(execFile)(CHROMIUM ?? '', [...flags, url], {
      timeout: 60_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    return { dom: stdout, log: stderr }
  } finally {
    rmSync(profile, { recursive: true, force: true })
  }
}
