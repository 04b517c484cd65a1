import { z } from 'zod'
import { shownList, shownText } from '../fields/field-path.ts'
import { nearestName } from '../fields/nearest-name.ts'

/** The paths that a change may name, and the resource's other fields. */
export type MaskFields = { readonly updatable: readonly string[]; readonly outputOnly: readonly string[] }

/** Which fields a change is about: those of its `updateMask`, all for `*`, or those that its body has. */
export type FieldMask = readonly string[] | '*' | undefined

/** The parameter of every change (AIP-134): the fields that it is about, separated by commas. */
export function updateMaskParameter(fields: MaskFields) {
  return z
    .string()
    .transform((text, context): FieldMask => {
      const paths = text.split(',')
      if (text === '*') return '*'
      const message = paths.map((path) => pathProblem(path, fields)).find((problem) => problem !== undefined)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
      return paths
    })
    .meta({
      description: `The fields to change, separated by commas, or *: ${fields.updatable.join(', ')}. Left out: those of the body.`,
    })
}

function pathProblem(path: string, { updatable, outputOnly }: MaskFields): string | undefined {
  if (updatable.includes(path)) return undefined
  if (path === '*') return "must be '*' alone, or the names of fields"
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
