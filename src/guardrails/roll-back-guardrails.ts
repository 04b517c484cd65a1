import type { IfMatch } from '../db/check-revision.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import { GUARDRAILS, guardrailsOf } from './guardrails.ts'
import { type GuardrailsSave, type SaveGuardrailsDeps, saveGuardrails } from './save-guardrails.ts'

/**
 * Makes of the guardrails again what they were in a version: a save, held to the tests that they had then. Throws as a
 * save does, and `not_found` where there is no such version.
 */
export async function rollBackGuardrails(
  deps: SaveGuardrailsDeps & { readonly findPolicyVersion: PolicyVersionStore['get'] },
  number: number,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<GuardrailsSave> {
  const version = await deps.findPolicyVersion(GUARDRAILS, number)
  if (version === undefined) throw new RequestError('not_found', 'There is no such policy version.')
  return saveGuardrails(
    deps,
    { spec: guardrailsOf(version), ifMatch },
    { ...authorship, change: 'ROLLBACK', restoredNumber: number },
  )
}
