import { z } from 'zod'
import { defineRoute, type Route } from './route.ts'

/** `GET /.well-known/jwks.json`: the public keys of our access tokens (RFC 7517 §5). */
export function getJwksRoute(deps: {
  publishKeys: () => Promise<{ readonly keys: readonly unknown[]; readonly maxAgeSeconds: number }>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/.well-known/jwks.json',
    group: 'Jobs',
    summary:
      'Get the public keys of our access tokens (RFC 7517), which may be kept for five minutes: a new key is here for eleven before it signs.',
    access: 'public',
    query: 'ignored',
    answer: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }),
    async handle() {
      const { keys, maxAgeSeconds } = await deps.publishKeys()
      return {
        headers: {
          'Cache-Control': `public, max-age=${maxAgeSeconds}`,
          'Access-Control-Allow-Origin': '*',
        },
        body: { keys },
      }
    },
  })
}
