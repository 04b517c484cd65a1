import { type CacheStats, createRowCache } from '../db/row-cache.ts'
import {
  type FindLiveToken,
  liveToken,
  type TokenIdentity,
  type VerifyAccessToken,
} from './find-live-token.ts'

export type LiveTokenCache = {
  readonly find: FindLiveToken
  forget(decisionId: string): void
  stats(): CacheStats
}

/** Tokens; with the rules of its identity some two kilobytes each, and never much more than ten. */
const MAX_TOKENS = 5_000
const MAX_RULES_LENGTH = 10_000

/**
 * The check whether a token counts, for whoever holds what it stands on against the current revisions afterwards, and
 * asks whether the token was revoked: an identity is remembered by the decision that its token was issued on. Who is
 * told that a token does not count was told by the database.
 */
export function createLiveTokenCache(deps: {
  readonly verifyAccessToken: VerifyAccessToken
  readonly findTokenIdentity: (decisionId: string) => Promise<TokenIdentity | undefined>
}): LiveTokenCache {
  const rows = createRowCache({
    max: MAX_TOKENS,
    load: deps.findTokenIdentity,
    // Rules may take half a megabyte, and each token would have a copy of its own.
    isKept: ({ rules }) => JSON.stringify(rules).length <= MAX_RULES_LENGTH,
  })
  return {
    ...rows,
    async find(token, audience) {
      const claims = await deps.verifyAccessToken(token, audience)
      if (claims === undefined) return undefined
      const { row, cached } = await rows.find(claims.decisionId)
      const live = liveToken(claims, row)
      if (live !== undefined || !cached) return live
      rows.forget(claims.decisionId)
      return liveToken(claims, (await rows.find(claims.decisionId)).row)
    },
  }
}
