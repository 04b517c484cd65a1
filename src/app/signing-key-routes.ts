import { listSigningKeysRoute } from '../http/list-signing-keys.ts'
import { rotateSigningKeyRoute } from '../http/rotate-signing-key.ts'
import type { Route } from '../http/route.ts'
import { replaceSigningKeys, rotateSigningKey } from '../issuance/rotate-signing-keys.ts'
import { listSigningKeys, placeOf } from '../issuance/signing-key-store.ts'
import type { Parts } from './parts.ts'

export function signingKeyRoutes(parts: Parts): readonly Route[] {
  const { db, keys, pageTokens } = parts
  return [
    listSigningKeysRoute({
      async listSigningKeys(query) {
        // What is due is done before it is shown.
        await keys.refresh()
        return listSigningKeys(db, query)
      },
      placeOf,
      pageTokens,
    }),
    rotateSigningKeyRoute({
      async rotateSigningKey({ immediately }, authorship) {
        // A pending key that is due is no rotation that is under way.
        if (!immediately) await keys.refresh()
        const rotate = immediately ? replaceSigningKeys : rotateSigningKey
        const key = await rotate(parts, authorship)
        // It is done, whether or not this instance can read it now.
        await keys.refresh().catch(() => undefined)
        return key
      },
    }),
  ]
}
