import { checkMaySetKeys } from '../access/caller.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { countIssuerTokensRoute } from '../http/count-tokens.ts'
import { createIssuerRoute } from '../http/create-issuer.ts'
import { deleteIssuerRoute } from '../http/delete-issuer.ts'
import { getIssuerRoute } from '../http/get-issuer.ts'
import { listIssuersRoute } from '../http/list-issuers.ts'
import { refreshIssuerKeysRoute } from '../http/refresh-issuer-keys.ts'
import type { Route } from '../http/route.ts'
import { undeleteIssuerRoute } from '../http/undelete-issuer.ts'
import { updateIssuerRoute } from '../http/update-issuer.ts'
import { deleteIssuer, undeleteIssuer, updateIssuer } from '../issuer/change-issuer.ts'
import { createIssuer } from '../issuer/create-issuer.ts'
import { ISSUER_FIELDS, issuerBody, issuerPatch } from '../issuer/issuer-fields.ts'
import { refreshKeys } from '../issuer/refresh-keys.ts'
import { tellEndedTokensOfIssuer } from './ended-tokens.ts'
import type { Parts } from './parts.ts'

export function issuerRoutes(parts: Parts): readonly Route[] {
  const { pageTokens, issuers, keyCache } = parts
  const keyStatus = keyCache.status
  const inTurn = createOneAtATime()
  return [
    createIssuerRoute({
      issuerBody,
      createIssuer: (...asked) => createIssuer(parts, ...asked),
      keyStatus,
    }),
    listIssuersRoute({ issuers, keyStatus, pageTokens }),
    getIssuerRoute({ issuers, keyStatus }),
    countIssuerTokensRoute(parts),
    updateIssuerRoute({
      issuerPatch,
      issuerFields: ISSUER_FIELDS,
      updateIssuer: (caller, id, update, ...by) =>
        inTurn(id, async () => {
          const deps = { ...parts, checkMaySetKeys: () => checkMaySetKeys(caller) }
          return tellEndedTokensOfIssuer(parts, await updateIssuer(deps, id, update, ...by), update.body)
        }),
      keyStatus,
    }),
    deleteIssuerRoute({
      deleteIssuer: (id, ...asked) => inTurn(id, () => deleteIssuer(parts, id, ...asked)),
    }),
    undeleteIssuerRoute({
      undeleteIssuer: (id, ...asked) => inTurn(id, () => undeleteIssuer(parts, id, ...asked)),
      keyStatus,
    }),
    refreshIssuerKeysRoute({
      refreshKeys: (...asked) => refreshKeys(parts, ...asked),
      keyStatus,
    }),
  ]
}
