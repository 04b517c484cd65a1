import { distance as editDistance } from 'fastest-levenshtein'

/**
 * The name that was probably meant, if one is near: other case or separators, or one letter's difference, two from five
 * letters on, so that two that changed places are found.
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = folded(name)
  if (wanted.length > 100) return undefined
  const same = sameName(name, names)
  if (same !== undefined) return same

  const allowed = wanted.length >= 5 ? 2 : 1
  const near = names
    .map((known) => ({ known, distance: editDistance(wanted, folded(known)) }))
    .filter(({ distance }) => distance <= allowed)
  return near.sort((a, b) => a.distance - b.distance)[0]?.known
}

/** Of all names the one that is most like this one, however little that is; at least one name must be given. */
export function closestName(name: string, names: readonly string[]): string {
  const wanted = folded(name)
  const distances = names.map((known) => ({ known, distance: editDistance(wanted, folded(known)) }))
  return distances.sort((a, b) => a.distance - b.distance)[0]?.known ?? ''
}

/** The name that is this one but for case and separators. */
export function sameName(name: string, names: readonly string[]): string | undefined {
  const wanted = folded(name)
  return names.find((known) => folded(known) === wanted)
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}
