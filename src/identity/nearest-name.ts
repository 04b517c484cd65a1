/** The name that was probably meant, if one is near: other case or separators, or at most two letters' difference. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = folded(name)
  if (wanted.length > 100) return undefined
  const same = names.find((known) => folded(known) === wanted)
  if (same !== undefined) return same

  const allowed = wanted.length > 5 ? 2 : 1
  const near = names
    .map((known) => ({ known, distance: editDistance(wanted, folded(known)) }))
    .filter(({ distance }) => distance <= allowed)
  return near.sort((a, b) => a.distance - b.distance)[0]?.known
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
