/** What has one name and is then found under another. */
export type Handover = { readonly from: string; readonly to: string }

/** All names that are reached from these by handovers, step by step; they themselves too. */
export function reached(first: readonly string[], handovers: readonly Handover[]): ReadonlySet<string> {
  const byFrom = Map.groupBy(handovers, ({ from }) => from)
  const found = new Set(first)
  const open = [...found]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const { to } of byFrom.get(name) ?? []) {
      if (!found.has(to)) open.push(to)
      found.add(to)
    }
  }
  return found
}
