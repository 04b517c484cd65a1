import { z } from 'zod'
import { defineRoute, type Route } from './route.ts'

/** `GET /.well-known/jwks.json`: the public keys of our access tokens (RFC 7517 §5). */
export function getJwksRoute(deps: { jwks: { readonly keys: readonly unknown[] } }): Route {
  return defineRoute({
    method: 'GET',
    path: '/.well-known/jwks.json',
    group: 'Jobs',
    summary: 'Get the public keys of our access tokens (RFC 7517), which may be kept for five minutes.',
    access: 'public',
    query: 'ignored',
    answer: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }),
    handle: async () => ({
      // Verifiers may keep the keys for five minutes; a key is published that long before it signs.
      headers: { 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' },
      body: deps.jwks,
    }),
  })
}
