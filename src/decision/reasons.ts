import type { Outcome, Reason } from './decision.ts'

/** Every reason there is, in the order in which they are looked for, with the one outcome that it leads to. */
export const OUTCOME_OF: Readonly<Record<Reason, Outcome>> = {
  token_malformed: 'DENIED',
  token_algorithm: 'DENIED',
  token_type: 'DENIED',
  token_issuer: 'DENIED',
  issuer_unavailable: 'FAILED',
  token_key: 'DENIED',
  token_signature: 'DENIED',
  token_claims: 'DENIED',
  token_expired: 'DENIED',
  token_not_yet_valid: 'DENIED',
  token_age: 'DENIED',
  identity_unknown: 'DENIED',
  identity_inactive: 'DENIED',
  identity_issuer: 'DENIED',
  token_audience: 'DENIED',
  audience_not_allowed: 'DENIED',
  policy_error: 'FAILED',
  policy_timeout: 'FAILED',
  policy_memory: 'FAILED',
  condition_not_met: 'DENIED',
  denied_by_conditions: 'DENIED',
  denied_by_guardrails: 'DENIED',
  token_replayed: 'DENIED',
  allowed: 'ALLOWED',
}
