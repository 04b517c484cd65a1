import type { Request } from 'express'
import type { RefusedAttempt } from '../change/record-refusals.ts'
import { RequestError } from '../errors.ts'
import { oneLine } from '../exchange/plain-text.ts'
import { PROBLEMS } from './problem.ts'
import { isAdministration, type Route } from './route.ts'

/** What a message names of a body may be long. */
const MAX_MESSAGE = 1_000

/**
 * What is recorded of an administrator's call that ends in an error; undefined where that is nobody's attempt at
 * something they may not do: a call that changes nothing, unless a permission is missing, or a fault of ours.
 */
export function refusedAttempt(
  route: Route,
  request: Pick<Request, 'params' | 'originalUrl'>,
  error: unknown,
): Pick<RefusedAttempt, 'verb' | 'resource' | 'code' | 'message'> | undefined {
  if (!isAdministration(route.access) || !(error instanceof RequestError)) return undefined
  const { code, status } = PROBLEMS[error.code]
  if (status >= 500 || (isReading(route.access) && error.code !== 'permission_denied')) return undefined
  return {
    verb: verbOf(route.path, route.access),
    resource: withoutSecrets(resourceOf(route, request)),
    code,
    message: withoutSecrets(oneLine(error.message)).slice(0, MAX_MESSAGE),
  }
}

function isReading(permission: string): boolean {
  return /\.(get|list|evaluate|introspect)$/.test(permission)
}

/** As a change that is made is called: by the custom verb, or else by the permission's. */
function verbOf(path: string, permission: string): string {
  const verb = path.split(':')[1] ?? permission.split('.').at(-1) ?? ''
  const capitals = verb.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
  return capitals === 'ACTIVATE' ? 'ACTIVATION' : capitals
}

/** The name as the path has it, and of what is created with the id that was asked for. */
function resourceOf(
  { method, path, query }: Pick<Route, 'method' | 'path' | 'query'>,
  { params, originalUrl }: Pick<Request, 'params' | 'originalUrl'>,
): string {
  const [name = ''] = path
    .replace(/^\/v1\/(workspaces\/default\/(?=\w))?/, '')
    .replaceAll(/\{(\w+)\}/g, (hole, key: string) => wellFormed(String(params[key])) ?? hole)
    .split(':')
  const idParameter = method === 'POST' ? Object.keys(query).find((key) => key.endsWith('Id')) : undefined
  if (idParameter === undefined) return name
  const id = new URLSearchParams(originalUrl.split('?')[1]).get(idParameter)
  return wellFormed(id ?? '') === undefined ? name : `${name}/${id}`
}

/** Anything that is no name of ours is not repeated. */
function wellFormed(text: string): string | undefined {
  return /^[\w.@-]{1,255}$/.test(text) ? text : undefined
}

/** A caller may have put a token where a name belongs. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/\b(eyJ|cgadm_)[\w.-]+/g, '[token]')
}
