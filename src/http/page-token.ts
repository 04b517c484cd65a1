import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { decodeBase64url } from '../base64url.ts'
import { invalidArgument } from '../errors.ts'

/** What a page belongs to: the list and what it was asked with, the page's size aside. */
export type PageScope = Readonly<Record<string, unknown>>

export type PageTokens = {
  /** The token of the page that begins after this place of the list. */
  make(scope: PageScope, after: string): string
  /** The place that a token of ours names; throws `invalid_argument` for any other, and for one of another list. */
  read(scope: PageScope, token: string): string
}

const TAG_BYTES = 12

/**
 * Makes page tokens that only we can make, so that a list begins where one of its pages ended and nowhere else.
 * `secrets`: the first makes, all read, so that a token outlives a change of secrets and of instances.
 */
export function createPageTokens(secrets: readonly Uint8Array[]): PageTokens {
  const keys = secrets.map((secret) =>
    Buffer.from(hkdfSync('sha256', secret, '', 'claimgate page tokens', 32)),
  )
  const tagOf = (key: Buffer, scope: PageScope, after: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([scope, after]))
      .digest()
      .subarray(0, TAG_BYTES)
  return {
    make(scope, after) {
      const [key] = keys
      if (key === undefined) throw new Error('There is no secret to make page tokens with.')
      return Buffer.concat([tagOf(key, scope, after), Buffer.from(after)]).toString('base64url')
    },
    read(scope, token) {
      const bytes = decodeBase64url(token) ?? Buffer.alloc(0)
      const after = bytes.subarray(TAG_BYTES).toString()
      const isOurs =
        bytes.length > TAG_BYTES &&
        keys.some((key) => timingSafeEqual(tagOf(key, scope, after), bytes.subarray(0, TAG_BYTES)))
      if (!isOurs) {
        throw invalidArgument(
          'pageToken is not one of this list: give the nextPageToken of its last answer, with the same parameters.',
        )
      }
      return after
    },
  }
}
