import { isJsonObject } from '../json.ts'

/** A text; undefined for anything else. */
export function text(answer: unknown): string | undefined {
  return typeof answer === 'string' ? answer : undefined
}

/** A list of what `check` lets through; undefined where it is none, or anything in it is not let through. */
export function listOf<Item>(
  answer: unknown,
  check: (item: unknown) => Item | undefined,
): Item[] | undefined {
  if (!Array.isArray(answer)) return undefined
  const items: Item[] = []
  for (const entry of answer) {
    const item = check(entry)
    if (item === undefined) return undefined
    items.push(item)
  }
  return items
}

/** Whether a value is an object with these members and no others. */
export function hasExactly<Name extends string>(
  value: unknown,
  names: readonly Name[],
): value is Record<Name, unknown> {
  return (
    isJsonObject(value) &&
    Object.keys(value).length === names.length &&
    names.every((name) => Object.hasOwn(value, name))
  )
}
