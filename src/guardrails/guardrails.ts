import type { GuardrailsTest } from '../policy/test-guardrails.ts'

/** What every exchange must meet beside its identity's policy; `source` '' and `digest` null: nothing. */
export type Guardrails = {
  readonly source: string
  readonly tests: readonly GuardrailsTest[]
  /** Their policy's. */
  readonly digest: string | null
  readonly revision: string
  readonly updateTime: Date
}

/** The guardrails as they were saved at some time; what was removed is a version without source. */
export type GuardrailsVersion = Pick<Guardrails, 'source' | 'tests' | 'digest'> & {
  readonly version: number
  readonly author: string
  readonly createTime: Date
}
