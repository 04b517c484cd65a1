import { authorityOf } from '../access/authority.ts'
import { administrativeRoles } from '../access/built-in-roles.ts'
import { type Caller, FIRST_ADMINISTRATOR } from '../access/caller.ts'
import { roleProblem } from '../access/role.ts'
import { createOneAtATime, type OneAtATime } from '../db/one-at-a-time.ts'
import { findFindings } from '../finding/find-findings.ts'
import { countIdentityTokensRoute } from '../http/count-tokens.ts'
import { createWorkloadIdentityRoutes } from '../http/create-workload-identity.ts'
import { deleteWorkloadIdentityRoute } from '../http/delete-workload-identity.ts'
import { evaluateClaimsRoute } from '../http/evaluate-claims.ts'
import { getIdentityPolicyRoute } from '../http/get-identity-policy.ts'
import { getWorkloadIdentityRoute } from '../http/get-workload-identity.ts'
import { listWorkloadIdentitiesRoutes } from '../http/list-workload-identities.ts'
import { revokeIdentityTokensRoute } from '../http/revoke-identity-tokens.ts'
import type { Route } from '../http/route.ts'
import { undeleteWorkloadIdentityRoute } from '../http/undelete-workload-identity.ts'
import { updateWorkloadIdentityRoute } from '../http/update-workload-identity.ts'
import { validateWorkloadIdentityRoute } from '../http/validate-workload-identity.ts'
import { createWorkloadIdentity } from '../identity/create-workload-identity.ts'
import { readIdentityPatch } from '../identity/identity-patch.ts'
import { recordableClaims } from '../identity/recordable-claims.ts'
import { deleteWorkloadIdentity, undeleteWorkloadIdentity } from '../identity/remove-workload-identity.ts'
import { revokeIdentityTokens } from '../identity/revoke-identity-tokens.ts'
import {
  type UpdateWorkloadIdentityDeps,
  updateWorkloadIdentity,
} from '../identity/update-workload-identity.ts'
import { validateWorkloadIdentity } from '../identity/validate-workload-identity.ts'
import {
  IDENTITY_FIELDS,
  workloadIdentityPatchSchema,
  workloadIdentitySchema,
} from '../identity/workload-identity-schema.ts'
import { registerIssuer } from '../issuer/create-issuer.ts'
import { issuerIdFromUrl } from '../issuer/issuer-url.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import { insertPolicy } from '../policy/policy-store.ts'
import { evaluateClaims } from '../policy-test/evaluate-claims.ts'
import { refuseFailedTests } from '../policy-test/refuse-failed-tests.ts'
import { runPolicyTests, type TestedIdentity } from '../policy-test/run-policy-tests.ts'
import { policyInput } from '../provider/policy-input.ts'
import { checkClaims } from '../token/check-claims.ts'
import type { MeasureDraft } from './draft-impact.ts'
import { draftRoutes } from './draft-routes.ts'
import { tellEndedTokens, uncounted } from './ended-tokens.ts'
import type { Parts } from './parts.ts'
import { type Beside, policyChangesRoutes } from './policy-changes-routes.ts'
import { policyVersionRoutes } from './policy-version-routes.ts'
import type { SearchFailingTests } from './search-failing-tests.ts'
import { suggestionRoutes } from './suggestion-routes.ts'

/** How many validations wait, and for how long: an answer has 8 s, of which a compilation may take 7. */
const MAX_VALIDATIONS = 20
const VALIDATION_WAIT_MS = 4_000

/** What changes of identities are made with; those of one identity wait for each other, whatever asks for them. */
export type IdentityChanges = {
  /** With the roles that there are when the request comes. */
  readonly changesOf: (caller: Caller) => Promise<UpdateWorkloadIdentityDeps>
  readonly inTurn: OneAtATime
}

/** At least none. */
const UNCOUNTED = { unexpiredTokens: 0, isComplete: false }

/** Whoever only asks what a save would say needs no right to give what it gives. */
const SAVING_NOTHING = FIRST_ADMINISTRATOR

export function identityRoutes(
  parts: Parts,
  measureDraft: MeasureDraft,
  searchFailingTests: SearchFailingTests,
): readonly Route[] {
  const { config, clock, db, policies, pageTokens, identities, issuers, projects, roles } = parts
  // As they are now: no recording statement would find out that they are not.
  const evaluateBesideGuardrails = async (digest: string, input: string) =>
    parts.evaluator.evaluate(digest, input, (await parts.guardrails.current()).digest ?? undefined)
  const judging = { clock, recordableClaims, policyInput, checkClaims }
  const besideCurrent: Beside = { loadCode: policies.loadCode, currentGuardrails: parts.guardrails.current }
  const runTests = (beside: Beside) => (identity: TestedIdentity) =>
    runPolicyTests({ ...judging, smokeRun: parts.smokeRun, ...beside }, identity)
  const changesOf = async (caller: Caller): Promise<UpdateWorkloadIdentityDeps> => {
    const given = await roles.listOwnPermissions()
    return {
      ...config,
      ...authorityOf(caller, given),
      db,
      clock,
      findRoleProblem: (role) => (given.has(role) ? undefined : roleProblem(role, [...given.keys()])),
      findProject: projects.get,
      findIdentity: identities.findToChange,
      findIssuer: issuers.findByUrl,
      findSimilarIssuer: issuers.findSimilar,
      checkIssuerUrl: parts.checkIssuerUrl,
      freeIssuerId: (url, isReserved) =>
        issuerIdFromUrl(url, async (id) => isReserved?.(id) === true || issuers.isTaken(id)),
      preparePolicy: parts.preparePolicy,
      registerIssuer: (...asked) => registerIssuer(parts, ...asked),
      recordIdentity: parts.recordIdentity,
      insertPolicy,
      runTests: runTests(besideCurrent),
      refuseFailedTests,
      findFindings: (spec, standing) =>
        findFindings(spec, { ...config, ...standing, administrativeRoles: administrativeRoles(given) }),
    }
  }
  const inTurn = createOneAtATime()
  // Who may only ask what a save would say must not hold up those who save: compilations wait in one line.
  const oneAtATime = limitConcurrency(
    1,
    MAX_VALIDATIONS,
    'Too many policies are being validated; try again.',
    VALIDATION_WAIT_MS,
  )
  return [
    ...createWorkloadIdentityRoutes({
      workloadIdentityBody: workloadIdentitySchema,
      createWorkloadIdentity: async (caller, ...asked) =>
        createWorkloadIdentity(await changesOf(caller), ...asked),
    }),
    validateWorkloadIdentityRoute({
      workloadIdentityBody: workloadIdentitySchema,
      validateWorkloadIdentity: (body) =>
        oneAtATime(async () => validateWorkloadIdentity(await changesOf(SAVING_NOTHING), body)),
    }),
    ...listWorkloadIdentitiesRoutes({ identities, projects, pageTokens }),
    getWorkloadIdentityRoute({ identities }),
    updateWorkloadIdentityRoute({
      workloadIdentityPatch: workloadIdentityPatchSchema,
      identityFields: IDENTITY_FIELDS,
      updateWorkloadIdentity: async (caller, email, { body, mask, ifMatch }, authorship) => {
        const patch = readIdentityPatch(body, mask)
        return inTurn(email, async () => {
          const before = await identities.findToJudge(email)
          const saved = await updateWorkloadIdentity(await changesOf(caller), email, {
            patch,
            ifMatch,
            authorship,
          })
          return tellEndedTokens(parts, before, saved)
        })
      },
    }),
    deleteWorkloadIdentityRoute({
      deleteIdentity: (caller, email, ifMatch, authorship) =>
        inTurn(email, async () =>
          deleteWorkloadIdentity(await changesOf(caller), email, ifMatch, authorship),
        ),
    }),
    undeleteWorkloadIdentityRoute({
      undeleteIdentity: (caller, email, ifMatch, authorship) =>
        inTurn(email, async () =>
          undeleteWorkloadIdentity(await changesOf(caller), email, ifMatch, authorship),
        ),
    }),
    revokeIdentityTokensRoute({
      revokeTokens: (caller, email, ...asked) =>
        inTurn(email, async () => {
          const { identity, revoked } = await revokeIdentityTokens(await changesOf(caller), email, ...asked)
          // They are ended whether or not they can be counted.
          const count = await parts.tokenCounter.ofIdentity(identity, revoked).catch(uncounted(parts.log))
          return { ...(count ?? UNCOUNTED), revision: revoked.until }
        }),
    }),
    countIdentityTokensRoute(parts),
    evaluateClaimsRoute({
      identities,
      evaluateClaims: (identity, claims) =>
        evaluateClaims({ ...judging, evaluatePolicy: evaluateBesideGuardrails }, identity, claims),
    }),
    getIdentityPolicyRoute({ identities, policies }),
    ...policyChangesRoutes(parts, {
      changesOf,
      planning: () => changesOf(SAVING_NOTHING),
      runTests,
      searchFailingTests,
    }),
    ...policyVersionRoutes(parts, { changesOf, inTurn }),
    ...draftRoutes(parts, { changesOf, inTurn }, measureDraft),
    ...suggestionRoutes(parts),
  ]
}
