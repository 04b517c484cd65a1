import { shownList, shownText } from './field-path.ts'
import { nearestName } from './nearest-name.ts'

/** The paths that an update may name (a field, or a part of one as `config.rules`), and the resource's other fields. */
export type MaskFields = { readonly updatable: readonly string[]; readonly outputOnly: readonly string[] }

/** Which fields an update is about (AIP-134): those of its `updateMask`, all for `*`, or those that its body has. */
export type FieldMask = readonly string[] | '*' | undefined

/** An update that is asked for. */
export type Update<Body> = {
  readonly body: Body
  readonly mask: FieldMask
  /** The etags of which the resource must have one; undefined where any will do. */
  readonly ifMatch: readonly string[] | undefined
}

export type ReadFieldMask =
  | { readonly ok: true; readonly mask: readonly string[] | '*' }
  | { readonly ok: false; readonly message: string }

/** Reads an `updateMask`, or says which of its names is wrong, and what is meant most likely. */
export function readFieldMask(text: string, fields: MaskFields): ReadFieldMask {
  if (text === '*') return { ok: true, mask: '*' }
  const mask = text.split(',')
  const message = mask.map((path) => pathProblem(path, fields)).find((problem) => problem !== undefined)
  return message === undefined ? { ok: true, mask } : { ok: false, message }
}

export type UpdatedFields =
  | { readonly ok: true; readonly paths: readonly string[] }
  | { readonly ok: false; readonly message: string }

/** The paths that an update is about, which the body may leave out; at least one. */
export function readUpdatedFields(
  mask: FieldMask,
  body: object,
  updatable: readonly string[],
): UpdatedFields {
  if (mask === '*') return { ok: true, paths: updatable.filter((path) => !path.includes('.')) }
  const paths = mask ?? updatable.filter((path) => !hasParts(path, updatable) && hasPath(body, path))
  if (paths.length > 0) return { ok: true, paths }
  return {
    ok: false,
    message: `The body has no field that can be changed: those are ${updatable.join(', ')}.`,
  }
}

function pathProblem(path: string, { updatable, outputOnly }: MaskFields): string | undefined {
  if (updatable.includes(path)) return undefined
  if (path === '*') return "must be '*' alone, or the names of fields"
  if (path === '') return "names '', which is empty"
  const shown = shownText(path)
  if (outputOnly.includes(path)) return `names ${shown}, which cannot be set`
  const whole = updatable.find(
    (known) =>
      /^[.[]/.test(path.slice(known.length)) && path.startsWith(known) && !hasParts(known, updatable),
  )
  if (whole !== undefined) return `names ${shown}: ${whole} is replaced whole, so name that`
  const near = updatable.find((known) => known.endsWith(`.${path}`)) ?? nearestName(path, updatable)
  return near === undefined
    ? `names ${shown}, which is no field that can be changed: those are ${shownList(updatable)}`
    : `names ${shown}, which is no field that can be changed: the nearest is ${near}`
}

function hasParts(path: string, updatable: readonly string[]): boolean {
  return updatable.some((known) => known.startsWith(`${path}.`))
}

function hasPath(body: object, path: string): boolean {
  let value: unknown = body
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return true
}
