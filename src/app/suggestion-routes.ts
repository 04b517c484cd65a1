import { timeOfId } from '../decision/decision-id.ts'
import type { Route } from '../http/route.ts'
import { suggestChangesRoute } from '../http/suggest-changes.ts'
import { specOf, subjectOf } from '../identity/identity-store.ts'
import { parseWorkloadIdentity } from '../identity/parse-workload-identity.ts'
import { ruleAdmits } from '../policy/hostile-samples.ts'
import { createPolicyVersionStore } from '../policy/policy-version-store.ts'
import { LEAST_EXCHANGES, type SuggestChangesDeps, suggestChanges } from '../suggestion/suggest-changes.ts'
import type { Parts } from './parts.ts'

/** What identities could ask for besides, from how they are used. */
export function suggestionRoutes(parts: Parts): readonly Route[] {
  const versions = createPolicyVersionStore(parts.db)
  const deps: SuggestChangesDeps = {
    ...parts,
    findVersionAt: (identity, time) => versions.findAt(subjectOf(identity), time),
    admits: ruleAdmits,
    isSavable(identity, rule) {
      const spec = specOf(identity)
      const body = {
        ...spec,
        tests: [],
        workloadIdentityConfig: { ...spec.workloadIdentityConfig, rules: [rule] },
      }
      const former = {
        rules: spec.workloadIdentityConfig.rules,
        lastRuleNumber: identity.lastRuleNumber,
      }
      return parseWorkloadIdentity(body, {
        ...parts.config,
        email: identity.email,
        former,
        // Its roles stay what they are.
        findRoleProblem: () => undefined,
      }).ok
    },
    timeOfId,
  }
  return [
    suggestChangesRoute({
      identities: parts.identities,
      leastExchanges: LEAST_EXCHANGES,
      suggestChanges: (...asked) => suggestChanges(deps, ...asked),
    }),
  ]
}
