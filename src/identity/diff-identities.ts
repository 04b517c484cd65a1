import { isDeepStrictEqual } from 'node:util'
import type { JsonValue } from '../json.ts'
import type { Rule } from './rule.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'

/** A field that has another value; null where it is not there. */
export type FieldDiff = { readonly path: string; readonly before: JsonValue; readonly after: JsonValue }

/** What became of a rule, which is known by its id; `fields` only of one that is CHANGED. */
export type RuleDiff = {
  readonly id: string
  readonly change: 'ADDED' | 'REMOVED' | 'CHANGED'
  readonly fields: readonly FieldDiff[]
}

export type IdentityDiff = { readonly fields: readonly FieldDiff[]; readonly rules: readonly RuleDiff[] }

/** What differs between two versions of an identity; undefined: there was nothing. */
export function diffIdentities(
  before: WorkloadIdentitySpec | undefined,
  after: WorkloadIdentitySpec,
): IdentityDiff {
  return {
    fields: diffFields(fieldsOf(before), fieldsOf(after)),
    rules: diffRules(before?.workloadIdentityConfig.rules ?? [], after.workloadIdentityConfig.rules),
  }
}

type Fields = Readonly<Record<string, unknown>>

/** All but the rules, those of the configuration under their whole path. */
function fieldsOf(spec: WorkloadIdentitySpec | undefined): Fields {
  if (spec === undefined) return {}
  const { workloadIdentityConfig: config, ...fields } = spec
  const inConfig = Object.entries(config).filter(([name]) => name !== 'rules')
  return {
    ...fields,
    ...Object.fromEntries(inConfig.map(([name, value]) => [`workloadIdentityConfig.${name}`, value])),
  }
}

function diffFields(before: Fields, after: Fields): readonly FieldDiff[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => !isDeepStrictEqual(before[path], after[path]))
    .map((path) => ({ path, before: jsonOf(before[path]), after: jsonOf(after[path]) }))
}

/** What was read from JSON, or is about to become JSON. */
function jsonOf(value: unknown): JsonValue {
  return (value ?? null) as JsonValue
}

function diffRules(before: readonly Rule[], after: readonly Rule[]): readonly RuleDiff[] {
  const gone = before.filter(({ id }) => !after.some((rule) => rule.id === id))
  return [
    ...gone.map(({ id }): RuleDiff => ({ id, change: 'REMOVED', fields: [] })),
    ...after.flatMap((rule): RuleDiff[] => {
      const former = before.find(({ id }) => id === rule.id)
      if (former === undefined) return [{ id: rule.id, change: 'ADDED', fields: [] }]
      const fields = diffFields({ ...former }, { ...rule })
      return fields.length === 0 ? [] : [{ id: rule.id, change: 'CHANGED', fields }]
    }),
  ]
}
