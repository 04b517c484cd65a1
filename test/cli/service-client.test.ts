import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServiceClient } from '../../src/cli/policy/service-client.ts'
import { readClientConfig } from '../../src/config/env.ts'

const clientOf = (url?: string) =>
  createServiceClient(readClientConfig({ ADMIN_TOKEN: 'x'.repeat(32) }), { url })

test('a slash at the end of the address is left out, so that a plan is for the same service with and without it', () => {
  for (const [given, url] of [
    ['http://localhost:18080/', 'http://localhost:18080'],
    ['http://localhost:18080', 'http://localhost:18080'],
    ['https://example.com/claimgate/', 'https://example.com/claimgate'],
  ] as const) {
    assert.equal(clientOf(given).url, url)
  }
})

test('an address that is none is shown, and one that is not given is asked for', () => {
  for (const url of ['', 'localhost:18080', 'https://', 'https://example.com?x', 'ftp://example.com']) {
    assert.throws(() => clientOf(url), {
      message: `--url must be where the service is, as in https://claimgate.example.com, not '${url}'.`,
    })
  }
  assert.throws(() => clientOf(), /^Error: --url URL is needed: /)
})
