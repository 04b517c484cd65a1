import type { InsertChange, RecordChange } from './change.ts'

/** Makes what records the changes of one kind of resource; `show` gives what the API shows of it, and `nameOf` its name. */
export function createChangeRecorder<Resource>(
  insertChange: InsertChange,
  { nameOf, show }: { nameOf: (resource: Resource) => string; show: (resource: Resource) => object },
): RecordChange<Resource> {
  return async (trx, { verb, before, after }, authorship, now) => {
    const known = after ?? before
    if (known === undefined) throw new Error('A change is of something that was or is there.')
    const shown = (resource: Resource | undefined) => (resource === undefined ? undefined : show(resource))
    const change = { verb, resource: nameOf(known), before: shown(before), after: shown(after) }
    await insertChange(trx, change, authorship, now)
  }
}
