import type { Route } from './route.ts'

/**
 * What generated clients call an operation, after its method and path as Google's API conventions read them:
 * `GET /v1/things` is listThings, `POST /v1/things/{id}:undelete` undeleteThing, `POST /v1/auth:doThing` doThing.
 */
export function operationIdOf(route: Pick<Route, 'method' | 'path' | 'query' | 'operationId'>): string {
  if (route.operationId !== undefined) return route.operationId
  const [path = '', customVerb] = route.path.split(':')
  const segments = path
    .split('/')
    .filter((segment) => !['', 'v1', 'workspaces', 'default', '.well-known'].includes(segment))
  const names = segments.map((segment, index) => {
    const isOfOne = segments[index + 1]?.startsWith('{') === true
    return segment.startsWith('{') ? '' : capitalized(isOfOne ? singular(segment) : segment)
  })
  const last = names.at(-1) ?? ''

  if (customVerb !== undefined) {
    const [verb = '', object = ''] = /^([a-z]+)(.*)$/.exec(customVerb)?.slice(1) ?? []
    // A verb of a collection that names its object needs no other: auth:exchangeToken.
    if (object !== '' && last !== '') return customVerb
    return verb + names.slice(0, -1).join('') + singular(last) + object
  }
  if (route.method === 'POST') return `create${names.slice(0, -1).join('')}${singular(last)}`
  const isList = route.query !== 'ignored' && Object.hasOwn(route.query, 'pageToken')
  return (isList ? 'list' : VERBS[route.method]) + names.join('')
}

const VERBS = { GET: 'get', PATCH: 'update', PUT: 'update', DELETE: 'delete' } as const

function capitalized(segment: string): string {
  return segment
    .replace(/\.\w+$/, '')
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}

function singular(plural: string): string {
  return plural.replace(/ies$/, 'y').replace(/s$/, '')
}
