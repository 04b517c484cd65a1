import { validate } from 'uuid'
import type { ChangeStore } from '../change/change-store.ts'
import { RequestError } from '../errors.ts'
import { changeAnswer, changeJson } from './change-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/changes/{id}`: one change with what was there before and after. */
export function getChangeRoute(deps: { changes: Pick<ChangeStore, 'get'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/changes/{id}',
    group: 'Administration',
    summary: 'Get one change, with what was there before and after.',
    access: 'claimgate.changes.get',
    query: {},
    answer: changeAnswer,
    async handle({ params: { id = '' } }) {
      const change = validate(id) ? await deps.changes.get(id.toLowerCase()) : undefined
      if (change === undefined) throw new RequestError('not_found', 'There is no such change.')
      return { body: changeJson(change) }
    },
  })
}
