import type { Route } from './route.ts'

/** `GET /.well-known/jwks.json`: the public keys of our access tokens (RFC 7517 §5). */
export function getJwksRoute(deps: { jwks: { readonly keys: readonly unknown[] } }): Route {
  return {
    method: 'GET',
    path: '/.well-known/jwks.json',
    access: 'public',
    query: 'ignored',
    handle: async () => ({
      // Verifiers may keep the keys for five minutes; a key is published that long before it signs.
      headers: { 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' },
      body: deps.jwks,
    }),
  }
}
