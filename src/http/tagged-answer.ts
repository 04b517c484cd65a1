import type { RouteAnswer } from './route.ts'

/** A resource with its etag as a header too, for If-Match (RFC 9110 section 8.8.3). */
export function taggedAnswer(body: { readonly etag: string }): RouteAnswer {
  return { headers: { ETag: `"${body.etag}"` }, body }
}
