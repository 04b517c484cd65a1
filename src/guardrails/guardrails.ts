import type { PolicyVersion } from '../policy/policy-version-store.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'

/** What their author decides; `source` '': there are none. */
export type GuardrailsSpec = { readonly source: string; readonly tests: readonly GuardrailsTest[] }

/** What every exchange must meet beside its identity's policy. */
export type Guardrails = GuardrailsSpec & {
  /** Their policy's; null where there are none. */
  readonly digest: string | null
  readonly revision: string
  readonly updateTime: Date
}

/** What their versions and their draft are kept under. */
export const GUARDRAILS = 'guardrails'

/** What a draft or a version of the guardrails holds, as it was written. */
export function guardrailsOf({ resource }: Pick<PolicyVersion, 'resource'>): GuardrailsSpec {
  return resource as unknown as GuardrailsSpec
}
