import { changeParameters, readChangeFilter } from '../change/change-filter.ts'
import { getChangeRoute } from '../http/get-change.ts'
import { listChangesRoute } from '../http/list-changes.ts'
import type { Route } from '../http/route.ts'
import type { Parts } from './parts.ts'

export function changeRoutes({ changes, pageTokens }: Parts): readonly Route[] {
  return [
    listChangesRoute({ changeParameters, readChangeFilter, changes, pageTokens }),
    getChangeRoute({ changes }),
  ]
}
