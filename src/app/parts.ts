import { createAdminTokenStore } from '../access/admin-token-store.ts'
import { createGrantStore } from '../access/grant-store.ts'
import { createMembershipCache } from '../access/membership-cache.ts'
import { createMembershipStore } from '../access/membership-store.ts'
import { createProjectStore } from '../access/project-store.ts'
import { createRolePermissions } from '../access/role-permissions-store.ts'
import { createRoleStore } from '../access/role-store.ts'
import type { AppOptions } from '../app.ts'
import { createChangeStore, createInsertChange } from '../change/change-store.ts'
import { createRefusalRecorder } from '../change/record-refusals.ts'
import { readSecrets } from '../config/secrets.ts'
import { openDatabase } from '../db/open-database.ts'
import { createAttemptSummaries } from '../decision/attempt-summaries.ts'
import { createTokenCounter } from '../decision/count-tokens.ts'
import { createDecisionIds, firstIdAt } from '../decision/decision-id.ts'
import { createDecisionStore } from '../decision/decision-store.ts'
import { keepHouse } from '../decision/keep-house.ts'
import { createDecisionRecorder } from '../decision/record-decisions.ts'
import { createRefusalLimits } from '../exchange/refusal-limits.ts'
import { createWindowCounter } from '../exchange/window-counter.ts'
import { createGuardrailsCache } from '../guardrails/guardrails-cache.ts'
import { createGuardrailsStore } from '../guardrails/guardrails-store.ts'
import { createPageTokens } from '../http/page-token.ts'
import { createIdentityCache } from '../identity/identity-cache.ts'
import { createIdentityStore } from '../identity/identity-store.ts'
import { createFindLiveToken, findTokenIdentity } from '../issuance/find-live-token.ts'
import { createKeyEncryption } from '../issuance/key-encryption.ts'
import { createLiveTokenCache } from '../issuance/live-token-cache.ts'
import { openSigningKeys } from '../issuance/signing-keys.ts'
import { createAccessTokenVerifier } from '../issuance/verify-access-token.ts'
import { FetchError } from '../issuer/fetch-error.ts'
import { createGuardedFetch } from '../issuer/guarded-fetch.ts'
import { createIssuerCache } from '../issuer/issuer-cache.ts'
import { createIssuerStore } from '../issuer/issuer-store.ts'
import { checkIssuerUrl } from '../issuer/issuer-url.ts'
import { createKeyCache } from '../issuer/key-cache.ts'
import { createPolicyCompiler } from '../policy/compile-policy.ts'
import { createEvaluator } from '../policy/evaluate.ts'
import { createOpa } from '../policy/opa.ts'
import { opaBinary } from '../policy/opa-binary.ts'
import { createPolicyStore, insertPolicy } from '../policy/policy-store.ts'
import { prepareAccessPolicy } from '../policy/prepare-access-policy.ts'
import { createPrepareGuardrails } from '../policy/prepare-guardrails.ts'
import { createPreparePolicy, POLICIES_DIR } from '../policy/prepare-policy.ts'
import { createSmokeRunner } from '../policy/smoke-run.ts'
import { UNREACHABLE_RULE } from '../policy/unreachable-rule.ts'
import { refuseFailedTests } from '../policy-test/refuse-failed-tests.ts'
import { PROVIDER_TYPES, type ProviderType } from '../provider/providers.ts'
import { createSignatureThread } from '../signature/signature-thread.ts'
import { openTelemetry } from '../telemetry/telemetry.ts'
import { compilerFault } from './compiler-fault.ts'
import { recordChanges } from './record-changes.ts'
import { recordInTwoLanes } from './record-in-two-lanes.ts'
import { requireAdministrator } from './require-administrator.ts'
import { warnOfRole } from './warn-of-role.ts'

/** Whose refused attempts are counted; beyond it the least recently refused counts anew. */
const MAX_REFUSED_AUTHORS = 10_000

/** What the service is made of once it is open. */
export type Parts = Awaited<ReturnType<typeof openParts>>

/**
 * Opens all that the routes work with, and has `opened` let go of it. Throws, with a sentence for the operator, where
 * something is missing.
 */
export async function openParts(options: AppOptions, opened: AsyncDisposableStack) {
  const { config, log, clock, primary } = options
  const opa = createOpa({ binary: opaBinary(config.opaBin), log })
  const compiler = await createPolicyCompiler({ opa, policiesDir: POLICIES_DIR }).catch((error: unknown) => {
    throw compilerFault(error, config.opaBin)
  })
  const db = await openDatabase(config, { log, migrate: options.migrate && primary === undefined })
  opened.defer(() => db.close())
  const secrets = readSecrets(config)
  const adminTokens = createAdminTokenStore(db)
  await requireAdministrator(secrets.adminToken, adminTokens)
  const decisions = createDecisionStore(db)
  if (primary === undefined) {
    await warnOfRole(db, log)
    opened.use(await keepHouse({ ...config, decisions, clock, log }))
  }
  const newDecisionId = createDecisionIds()
  const summaries = () =>
    opened.use(createAttemptSummaries({ insert: decisions.insertSummaries, newDecisionId, clock, log }))
  const attempts = { verified: summaries(), unverified: summaries() }
  const changes = createChangeStore(db, firstIdAt)
  const records = recordChanges(createInsertChange(newDecisionId))
  const refusals = opened.use(
    createRefusalRecorder({
      ...changes,
      newId: newDecisionId,
      countInMinute: createWindowCounter(clock, MAX_REFUSED_AUTHORS).add,
      clock,
      log,
    }),
  )
  const encryption = createKeyEncryption(secrets.keyEncryptionKeys)
  const signatures = createSignatureThread({ log })
  opened.defer(() => signatures.close())
  const keys = opened.use(
    await openSigningKeys({ ...config, ...records, db, encryption, clock, log, forget: signatures.forget }),
  )
  const policies = createPolicyStore(db)
  const evaluator = createEvaluator({ loadCode: policies.loadCode, log })
  opened.defer(() => evaluator.close())
  const smokeRunner = createSmokeRunner()
  opened.defer(() => smokeRunner.close())
  const preparePolicy = createPreparePolicy({ compiler, policies, smokeRun: smokeRunner.run })
  const fallbackDigest = async (providerType: ProviderType) => {
    const { digest, policy } = await preparePolicy({ providerType, rules: [UNREACHABLE_RULE] })
    if (policy !== undefined) await insertPolicy(db.kysely, policy, new Date(clock()))
    return [providerType, digest] as const
  }
  const fallbacks = Object.fromEntries(await Promise.all(PROVIDER_TYPES.map(fallbackDigest)))

  const access = await prepareAccessPolicy({ compiler, policies })
  if (access.policy !== undefined) await insertPolicy(db.kysely, access.policy, new Date(clock()))

  const telemetry = await openTelemetry(config.otlpEndpoint)
  const fetchJson = createGuardedFetch({ privateIssuers: config.privateIssuers })
  const issuers = createIssuerStore(db)
  const identities = createIdentityStore(db)
  const guardrails = createGuardrailsStore(db)
  const verifyAccessToken = createAccessTokenVerifier({
    ...config,
    keys,
    issuer: config.publicUrl,
    clock,
    verifySignature: signatures.verify,
  })
  return {
    ...options,
    opa,
    db,
    telemetry,
    adminToken: secrets.adminToken,
    adminTokens,
    pageTokens: createPageTokens(secrets.keyEncryptionKeys),
    encryption,
    keys,
    verifyAccessToken,
    findLiveToken: createFindLiveToken({ db, verifyAccessToken }),
    /** For what is recorded only while it is still so. */
    liveTokens: createLiveTokenCache({
      verifyAccessToken,
      findTokenIdentity: (decisionId) => findTokenIdentity(db, decisionId),
    }),
    decisions,
    tokenCounter: createTokenCounter({ db, clock }),
    newDecisionId,
    recordDecision: recordInTwoLanes(() =>
      createDecisionRecorder({ db, log, onBatch: telemetry.metrics.countBatch }),
    ),
    refusalLimits: createRefusalLimits(clock),
    changes,
    recordRefusal: refusals.record,
    ...records,
    /** Refusals without a row of their own: those of verified tokens never share a statement with others. */
    attempts,
    signatures,
    policies,
    evaluator,
    preparePolicy,
    smokeRun: smokeRunner.run,
    fallbackPolicyDigests: fallbacks as Readonly<Record<ProviderType, string>>,
    accessPolicyDigest: access.digest,
    membershipCache: createMembershipCache(createMembershipStore(db)),
    rolePermissions: createRolePermissions(db),
    issuers,
    issuerCache: createIssuerCache(issuers),
    keyCache: createKeyCache({
      fetchJson,
      clock,
      log,
      watchFetch: (issuerId, fetch) => telemetry.keyFetch(issuerId, fetch, fetchErrorCode),
    }),
    checkIssuerUrl: (url: string) =>
      checkIssuerUrl(url, { privateIssuers: config.privateIssuers, ownIssuerUrl: config.publicUrl }),
    guardrails,
    guardrailsCache: createGuardrailsCache(guardrails),
    prepareGuardrails: createPrepareGuardrails({
      clock,
      compiler,
      policies,
      smokeRun: smokeRunner.run,
      refuseFailedTests,
    }),
    identities,
    identityCache: createIdentityCache(identities),
    projects: createProjectStore(db),
    roles: createRoleStore(db),
    grants: createGrantStore(db),
  }
}

function fetchErrorCode(error: unknown): string {
  return error instanceof FetchError ? error.code : 'internal'
}
