import { shownList, shownText } from './field-path.ts'
import { nearestName } from './nearest-name.ts'

export type UpdateMask =
  /** `isWhole`: all that can be changed is replaced by what the body has. */
  | { readonly ok: true; readonly fields: readonly string[]; readonly isWhole: boolean }
  | { readonly ok: false; readonly problem: string }

/**
 * Which fields a PATCH changes (AIP-134): those that its mask names, all of them by `*`, or without a mask those that
 * its body has. `others`: the resource's fields that a change cannot name.
 */
export function readUpdateMask(
  mask: string | undefined,
  body: object,
  changeable: readonly string[],
  others: readonly string[],
): UpdateMask {
  if (mask === undefined) {
    return { ok: true, fields: changeable.filter((name) => Object.hasOwn(body, name)), isWhole: false }
  }
  const names = mask.split(',').map((name) => name.trim())
  if (names.includes('*')) {
    return names.length === 1
      ? { ok: true, fields: changeable, isWhole: true }
      : { ok: false, problem: "has '*' beside other fields: it stands for all of them" }
  }
  for (const name of names) {
    if (changeable.includes(name)) continue
    if (others.includes(name)) {
      return { ok: false, problem: `names ${shownText(name)}, which cannot be changed` }
    }
    if (name === '') return { ok: false, problem: 'has an empty name between its commas' }
    const near = nearestName(name, [...changeable, ...others])
    const hint = near === undefined ? shownList(changeable) : `the nearest is ${near}`
    return { ok: false, problem: `names ${shownText(name)}, which is not a field: ${hint}` }
  }
  return { ok: true, fields: names, isWhole: false }
}
