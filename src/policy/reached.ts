/** All that is reached from these names, step by step; they themselves too. */
export function reached(
  first: readonly string[],
  next: (name: string) => readonly string[],
): ReadonlySet<string> {
  const found = new Set(first)
  const open = [...found]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const other of next(name)) {
      if (!found.has(other)) open.push(other)
      found.add(other)
    }
  }
  return found
}
