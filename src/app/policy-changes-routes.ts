import type { Caller } from '../access/caller.ts'
import { planGuardrails, prepareGuardrailsChange } from '../guardrails/guardrails-changes.ts'
import { guardrailsChange, plannedGuardrails } from '../guardrails/guardrails-schema.ts'
import { guardrailsIn } from '../guardrails/save-guardrails.ts'
import { applyPoliciesRoute, planPoliciesRoute } from '../http/policy-changes.ts'
import type { Route } from '../http/route.ts'
import { applyIdentityChanges } from '../identity/apply-identity-changes.ts'
import { applyBody, planBody } from '../identity/identity-changes.ts'
import { planIdentities } from '../identity/plan-identities.ts'
import type { UpdateWorkloadIdentityDeps } from '../identity/update-workload-identity.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import { insertPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { RunPolicyTestsDeps, TestedIdentity } from '../policy-test/run-policy-tests.ts'
import type { Parts } from './parts.ts'
import { measurePlan } from './plan-impact.ts'
import type { SearchFailingTests } from './search-failing-tests.ts'

/** The guardrails that identities' tests are run beside, and where policies are. */
export type Beside = Pick<RunPolicyTestsDeps, 'loadCode' | 'currentGuardrails'>

export type PolicyChangesDeps = {
  readonly changesOf: (caller: Caller) => Promise<UpdateWorkloadIdentityDeps>
  /** What a plan is made with, which saves nothing. */
  readonly planning: () => Promise<UpdateWorkloadIdentityDeps>
  readonly runTests: (
    beside: Beside,
  ) => (identity: TestedIdentity) => ReturnType<UpdateWorkloadIdentityDeps['runTests']>
  readonly searchFailingTests: SearchFailingTests
}

/** Many identities, and the guardrails, planned and changed together. */
export function policyChangesRoutes(
  parts: Parts,
  { changesOf, planning, runTests, searchFailingTests }: PolicyChangesDeps,
): readonly Route[] {
  const { identities, policies } = parts
  const changes = { ...parts, insertPolicy }
  /** Identities' tests are judged beside the guardrails that they are saved with. */
  const testedBeside = (
    guardrails: PreparedPolicy | undefined,
  ): Pick<UpdateWorkloadIdentityDeps, 'runTests'> => ({
    runTests: runTests({
      currentGuardrails: async () => ({ digest: guardrails?.digest ?? null }),
      loadCode: async (digest) =>
        (digest === guardrails?.digest ? guardrails.policy?.wasm : undefined) ?? policies.loadCode(digest),
    }),
  })
  const atATime = limitConcurrency(2, 8, 'Too many plans are being made or applied: try again in a minute.')
  return [
    planPoliciesRoute({
      planBody: planBody.extend({
        guardrails: plannedGuardrails
          .optional()
          .describe('What they are to be; absent: they are left alone.'),
      }),
      planPolicies: ({ guardrails: wanted, workloadIdentities, keep }, { days, caller }) =>
        atATime(async () => {
          const guardrails = wanted && (await planGuardrails(changes, guardrailsIn(wanted)))
          const beside = guardrails === undefined ? {} : testedBeside(guardrails.policy)
          const plan = await planIdentities(
            { ...(await planning()), identities, ...beside },
            { workloadIdentities, keep },
          )
          const withGuardrails = wanted?.withImpact ?? true
          const measured = await measurePlan(parts, searchFailingTests, {
            plan,
            guardrails,
            withGuardrails,
            days,
            caller,
          })
          return { ...plan, guardrails: guardrails?.change, ...measured }
        }),
    }),
    applyPoliciesRoute({
      applyBody: applyBody
        .extend({
          guardrails: guardrailsChange
            .optional()
            .describe('What they are to be; absent: they are left alone.'),
        })
        .refine((body) => body.changes.length > 0 || body.guardrails !== undefined, {
          path: ['changes'],
          message: 'must have at least 1 change where guardrails is absent',
        }),
      applyChanges: (caller, { guardrails: wanted, ...asked }, authorship) =>
        atATime(async () => {
          const prepared =
            wanted &&
            (await prepareGuardrailsChange(changes, { etag: wanted.etag, spec: guardrailsIn(wanted) }))
          const beside =
            prepared === undefined ? {} : { ...testedBeside(prepared.policy), alongside: prepared }
          const applied = await applyIdentityChanges(
            { ...(await changesOf(caller)), identities, ...beside },
            asked,
            authorship,
          )
          const saved = prepared?.saved()
          if (prepared === undefined || saved === undefined) return { applied, guardrails: undefined }
          const digests = { before: prepared.currentDigest, after: saved.guardrails.digest }
          return { applied, guardrails: { ...saved, failingTests: await searchFailingTests(digests) } }
        }),
    }),
  ]
}
