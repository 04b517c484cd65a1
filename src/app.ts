import { BUILT_IN_ROLES } from './access/built-in-roles.ts'
import {
  changeProject,
  createProject,
  deleteProject,
  PROJECT_FIELDS,
  projectBody,
  undeleteProject,
} from './access/change-project.ts'
import { createProjectStore } from './access/project-store.ts'
import type { Clock } from './clock.ts'
import { ADMIN_TOKEN, generatedSecret, KEY_ENCRYPTION_KEY } from './config/data-dir.ts'
import type { Config } from './config/env.ts'
import { readVersion } from './config/version.ts'
import { canChangeDecisions, checkWritable } from './db/check-database.ts'
import type { Database } from './db/database.ts'
import { checkMigrated } from './db/migrate.ts'
import { createOneAtATime } from './db/one-at-a-time.ts'
import { openDatabase } from './db/open-database.ts'
import { type AttemptSummaries, createAttemptSummaries } from './decision/attempt-summaries.ts'
import type { AllowedDecision, Recorded } from './decision/decision.ts'
import { decisionParameters, readDecisionFilter } from './decision/decision-filter.ts'
import { createDecisionIds } from './decision/decision-id.ts'
import { createDecisionStore, type DecisionStore } from './decision/decision-store.ts'
import { keepHouse } from './decision/keep-house.ts'
import { createDecisionRecorder, type RecordDecision } from './decision/record-decisions.ts'
import { type ExchangeDeps, type ExchangeResult, exchangeToken } from './exchange/exchange-token.ts'
import { type ExplainResult, explainToken } from './exchange/explain-token.ts'
import { createRefusalLimits } from './exchange/refusal-limits.ts'
import { createIssuerRoute } from './http/create-issuer.ts'
import { createProjectRoute } from './http/create-project.ts'
import { createWorkloadIdentityRoutes } from './http/create-workload-identity.ts'
import { deleteIssuerRoute } from './http/delete-issuer.ts'
import { deleteProjectRoute } from './http/delete-project.ts'
import { deleteWorkloadIdentityRoute } from './http/delete-workload-identity.ts'
import { withDescription } from './http/describe-api.ts'
import { exchangeTokenRoute } from './http/exchange-token.ts'
import { explainTokenRoute } from './http/explain-token.ts'
import { getCurrentUserRoute } from './http/get-current-user.ts'
import { getDecisionRoute } from './http/get-decision.ts'
import { getIdentityPolicyRoute } from './http/get-identity-policy.ts'
import { getIssuerRoute } from './http/get-issuer.ts'
import { getJwksRoute } from './http/get-jwks.ts'
import { metricsRoute } from './http/get-metrics.ts'
import { getProjectRoute } from './http/get-project.ts'
import { getWorkloadIdentityRoute } from './http/get-workload-identity.ts'
import { createReadiness, healthRoute, type Readiness, readinessRoute } from './http/health.ts'
import { createAdministratorCheck } from './http/is-administrator.ts'
import { listDecisionsRoute } from './http/list-decisions.ts'
import { listIssuersRoute } from './http/list-issuers.ts'
import { listProjectsRoute } from './http/list-projects.ts'
import { listWorkloadIdentitiesRoutes } from './http/list-workload-identities.ts'
import { listen } from './http/listen.ts'
import { listenForMetrics } from './http/listen-for-metrics.ts'
import { createPageTokens, type PageTokens } from './http/page-token.ts'
import { patchProjectRoute } from './http/patch-project.ts'
import { patchWorkloadIdentityRoute } from './http/patch-workload-identity.ts'
import { refreshIssuerKeysRoute } from './http/refresh-issuer-keys.ts'
import type { Route } from './http/route.ts'
import { createHttpServer } from './http/server.ts'
import { undeleteIssuerRoute } from './http/undelete-issuer.ts'
import { undeleteProjectRoute } from './http/undelete-project.ts'
import { undeleteWorkloadIdentityRoute } from './http/undelete-workload-identity.ts'
import { updateIssuerRoute } from './http/update-issuer.ts'
import {
  type ChangeWorkloadIdentityDeps,
  changeWorkloadIdentity,
} from './identity/change-workload-identity.ts'
import { createClaimReport } from './identity/claim-report.ts'
import { createWorkloadIdentity } from './identity/create-workload-identity.ts'
import { recordableClaims, unknownClaims } from './identity/gitlab-claims.ts'
import { createIdentityCache } from './identity/identity-cache.ts'
import { parseEmail } from './identity/identity-email.ts'
import { readIdentityPatch } from './identity/identity-patch.ts'
import { createIdentityStore } from './identity/identity-store.ts'
import { deleteWorkloadIdentity, undeleteWorkloadIdentity } from './identity/remove-workload-identity.ts'
import {
  UPDATABLE_FIELDS,
  workloadIdentityPatchSchema,
  workloadIdentitySchema,
} from './identity/workload-identity-schema.ts'
import { createAccessTokenVerifier, signAccessToken } from './issuance/access-token.ts'
import { createKeyEncryption } from './issuance/key-encryption.ts'
import { checkSigningKey, loadSigningKeys, type SigningKeys } from './issuance/signing-keys.ts'
import { DEFAULT_ALGORITHMS } from './issuer/algorithms.ts'
import { deleteIssuer, undeleteIssuer, updateIssuer } from './issuer/change-issuer.ts'
import { createIssuer } from './issuer/create-issuer.ts'
import { FetchError } from './issuer/fetch-error.ts'
import { createGuardedFetch } from './issuer/guarded-fetch.ts'
import { createIssuerCache } from './issuer/issuer-cache.ts'
import { issuerBody, issuerPatch } from './issuer/issuer-fields.ts'
import { createIssuerStore, insertIssuer } from './issuer/issuer-store.ts'
import { checkIssuerUrl, issuerIdFromUrl } from './issuer/issuer-url.ts'
import { createKeyCache } from './issuer/key-cache.ts'
import { refreshKeys } from './issuer/refresh-keys.ts'
import type { Log } from './log.ts'
import { createPolicyCompiler } from './policy/compile-policy.ts'
import { createEvaluator, type Evaluator } from './policy/evaluate.ts'
import { createOpa } from './policy/opa.ts'
import { opaBinary } from './policy/opa-binary.ts'
import { createPolicyStore, insertPolicy, type PolicyStore } from './policy/policy-store.ts'
import { createPreparePolicy, POLICIES_DIR, type PreparePolicy } from './policy/prepare-policy.ts'
import { createSmokeRunner } from './policy/smoke-run.ts'
import { UNREACHABLE_RULE } from './policy/unreachable-rule.ts'
import type { MetricsSnapshot, ReadMetrics } from './telemetry/metrics.ts'
import { observeParts } from './telemetry/observe-parts.ts'
import { openTelemetry, type Telemetry } from './telemetry/telemetry.ts'
import { tokenAudiences } from './token/token-audiences.ts'
import { verifyToken } from './token/verify-token.ts'

export type App = {
  /** The address it listens on. */
  readonly url: string
  /** The address of `/metrics` where it has a port of its own. */
  readonly metricsUrl: string | undefined
  /** Drops readiness, lets accepted requests finish (10 s at most), and lets go of everything. */
  close(): Promise<void>
}

export type AppOptions = {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  /** Whether the schema is brought up to date first. */
  readonly migrate: boolean
  /** The process that migrates, keeps house and answers for the metrics of all, where this is one of several. */
  readonly primary?: Primary
}

type Primary = {
  readonly readMetrics: ReadMetrics
  offerSnapshot(take: () => Promise<MetricsSnapshot>): void
}

/** What is left of the ten seconds of a shutdown is for telling of the last requests. */
const SHUTDOWN_MS = 10_000

/**
 * Puts the service together and makes it listen; the one place where concepts meet.
 * Throws, with a sentence for the operator, where something that it cannot serve without is missing.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, log, clock, primary } = options
  const opened = new AsyncDisposableStack()
  let endsBy = 0
  try {
    const opa = createOpa({ binary: opaBinary(config.opaBin), log })
    const compiler = await createPolicyCompiler({ opa, policiesDir: POLICIES_DIR })
    const db = await openDatabase(config, { log, migrate: options.migrate && primary === undefined })
    opened.defer(() => db.close())
    const secrets = readSecrets(config)
    if (db.kind === 'postgresql' && (await canChangeDecisions(db))) {
      log.warn(
        'the database role could change recorded decisions: set MIGRATION_DATABASE_URL to separate the two',
      )
    }

    const decisions = createDecisionStore(db)
    if (primary === undefined) opened.use(await keepHouse({ ...config, decisions, clock, log }))
    const newDecisionId = createDecisionIds()
    const summaries = () =>
      opened.use(createAttemptSummaries({ insert: decisions.insertSummaries, newDecisionId, clock, log }))
    const encryption = createKeyEncryption(secrets.keyEncryptionKeys)
    const keys = await loadSigningKeys({ db, encryption, clock })
    const policies = createPolicyStore(db)
    const evaluator = createEvaluator({ loadWasm: policies.loadWasm, log })
    opened.defer(() => evaluator.close())
    const smokeRunner = createSmokeRunner()
    opened.defer(() => smokeRunner.close())
    const preparePolicy = createPreparePolicy({ compiler, policies, smokeRun: smokeRunner.run })
    const fallback = await preparePolicy([UNREACHABLE_RULE])
    if (fallback.policy !== undefined) await insertPolicy(db.kysely, fallback.policy, new Date(clock()))

    const telemetry = await openTelemetry(config.otlpEndpoint)
    const { metrics } = telemetry
    opened.defer(() => telemetry.tracing.close(Math.max(0, endsBy - performance.now())))
    primary?.offerSnapshot(metrics.snapshot)
    const readMetrics = primary?.readMetrics ?? metrics.read

    const parts = {
      ...options,
      telemetry,
      readMetrics,
      db,
      decisions,
      newDecisionId,
      attempts: { verified: summaries(), unverified: summaries() },
      keys,
      policies,
      evaluator,
      preparePolicy,
      fallbackPolicyDigest: fallback.digest,
      pageTokens: createPageTokens(secrets.keyEncryptionKeys),
    }
    const readiness = createReadiness({
      database: () => checkWritable(db),
      migrations: () => checkMigrated(db),
      signingKey: () => checkSigningKey(db, keys.active),
      compiler: () => opa.version(),
    })
    const server = createHttpServer({
      routes: withDescription(createRoutes(parts, readiness.check), { ...config, version: readVersion() }),
      trustProxy: config.trustProxy,
      isAdministrator: createAdministratorCheck(secrets.adminToken),
      watchRequest: telemetry.request,
      log,
    })
    const listening = await listen(server, config)
    opened.defer(() => listening.drain())
    const { host, metricsPort } = config
    const metricsListening =
      metricsPort === undefined || primary !== undefined
        ? undefined
        : await listenForMetrics(
            { host, port: metricsPort },
            { log, readMetrics: () => readMetrics('everybody') },
          )
    return {
      url: listening.url,
      metricsUrl: metricsListening?.url,
      async close() {
        endsBy = performance.now() + SHUTDOWN_MS
        readiness.drop()
        await opened.disposeAsync()
        await metricsListening?.drain()
      },
    }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

/** Without a database server there is nobody to configure secrets for: they are made and kept beside the data. */
function readSecrets(config: Config) {
  const { dataDir, databaseUrl, adminToken, keyEncryptionKeys } = config
  if (databaseUrl !== undefined) {
    if (adminToken === undefined) throw new Error('ADMIN_TOKEN is required with DATABASE_URL.')
    return { adminToken, keyEncryptionKeys }
  }
  const sealingKey = () => Buffer.from(generatedSecret(dataDir, KEY_ENCRYPTION_KEY), 'base64')
  return {
    adminToken: adminToken ?? generatedSecret(dataDir, ADMIN_TOKEN),
    keyEncryptionKeys: keyEncryptionKeys.length > 0 ? keyEncryptionKeys : [sealingKey()],
  }
}

/** What the service is made of once it is open. */
type Parts = AppOptions & {
  readonly db: Database
  readonly decisions: DecisionStore
  readonly newDecisionId: (timeMs: number) => string
  /** Refusals without a row of their own: those of verified tokens never share a statement with others. */
  readonly attempts: { readonly verified: AttemptSummaries; readonly unverified: AttemptSummaries }
  readonly keys: SigningKeys
  readonly policies: PolicyStore
  readonly evaluator: Evaluator
  readonly preparePolicy: PreparePolicy
  readonly fallbackPolicyDigest: string
  readonly pageTokens: PageTokens
  readonly telemetry: Telemetry
  readonly readMetrics: ReadMetrics
}

function createRoutes(parts: Parts, checkReadiness: () => Promise<Readiness>): readonly Route[] {
  const shared = createShared(parts)
  observeParts(parts.telemetry.metrics, {
    connections: parts.db.connections,
    caches: {
      identities: shared.identityCache.stats,
      issuers: shared.issuerCache.stats,
      policies: policyCacheStats(parts.evaluator),
    },
    policies: parts.evaluator.stats,
    signingKeyCreateTime: () => parts.keys.active.createTime,
  })
  return [
    ...jobRoutes(parts, shared),
    ...identityRoutes(parts, shared),
    ...projectRoutes(parts, shared),
    ...issuerRoutes(parts, shared),
    ...decisionRoutes(parts),
    healthRoute(),
    readinessRoute({ checkReadiness }),
    metricsRoute({ readMetrics: () => parts.readMetrics('administrator') }),
  ]
}

function policyCacheStats(evaluator: Evaluator) {
  return () => {
    const { hits, misses, policies } = evaluator.stats()
    return { hits, misses, entries: policies }
  }
}

type Shared = ReturnType<typeof createShared>

/** The stores and caches that more than one group of routes works with. */
function createShared({ config, clock, log, db, telemetry }: Parts) {
  const fetchJson = createGuardedFetch({ privateIssuers: config.privateIssuers })
  const issuers = createIssuerStore(db)
  const identities = createIdentityStore(db)
  return {
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
    identities,
    identityCache: createIdentityCache(identities),
    projects: createProjectStore(db),
  }
}

function jobRoutes(parts: Parts, shared: Shared): readonly Route[] {
  const { config, clock, keys } = parts
  const exchange = createExchange(parts, shared)
  const isEmail = (text: string) => parseEmail(text) !== undefined
  return [
    exchangeTokenRoute({
      exchangeToken: (request) =>
        parts.telemetry.exchange('EXCHANGE', () => exchangeToken(exchange, request), exchangeSeen),
      isEmail,
    }),
    explainTokenRoute({
      explainToken: (request) =>
        parts.telemetry.exchange('DRY_RUN', () => explainToken(exchange, request), dryRunSeen),
      isEmail,
    }),
    getCurrentUserRoute({
      verifyAccessToken: createAccessTokenVerifier({ ...config, keys, issuer: config.publicUrl, clock }),
      findIdentityOfToken: ({ decisionId }) => shared.identities.findByDecision(decisionId),
    }),
    getJwksRoute(keys),
  ]
}

function createExchange(parts: Parts, shared: Shared): ExchangeDeps {
  const { config, clock, log, db, keys, decisions, attempts, telemetry } = parts
  const { identities, identityCache, issuerCache, keyCache } = shared
  const reportClaims = createClaimReport(log)
  return {
    clock,
    newDecisionId: parts.newDecisionId,
    verifyToken: telemetry.step('verify', async (text: string) => {
      const trusted = { findIssuer: issuerCache.find, findKey: keyCache.findKey }
      const token = await verifyToken({ ...config, clock, ...trusted }, text)
      if (token.verified) reportClaims(unknownClaims(token.claims))
      return token
    }),
    findIdentity: identityCache.find,
    reloadIdentity: identities.find,
    recordableClaims,
    tokenAudiences,
    evaluatePolicy: telemetry.step('evaluate', parts.evaluator.evaluate),
    fallbackPolicyDigest: parts.fallbackPolicyDigest,
    publicUrl: config.publicUrl,
    signingKeyId: keys.active.kid,
    refusalLimits: createRefusalLimits(clock),
    countAttempt: (origin, attempt) =>
      (origin.isVerified ? attempts.verified : attempts.unverified).count(origin, attempt),
    recordDecision: telemetry.step(
      'record',
      inTwoLanes(() => createDecisionRecorder({ db, log, onBatch: telemetry.metrics.countBatch })),
    ),
    signAccessToken: telemetry.step('sign', (decision: Recorded<AllowedDecision>) =>
      signAccessToken({ keys, issuer: config.publicUrl }, decision),
    ),
    findEarlierUse: decisions.findEarlierUse,
    forgetCached(decision) {
      identityCache.forget(decision.identity)
      if (decision.issuerUrl !== null) issuerCache.forget(decision.issuerUrl)
    },
  }
}

/** A refusal that is the same for everybody must be the same in what everybody may count, too. */
function exchangeSeen(result: ExchangeResult) {
  return seen(result.decision, result.ok || result.refusal.code === 'permission_denied')
}

function dryRunSeen(result: ExplainResult) {
  return seen(result.decision, result.ok && result.explanation.reason !== undefined)
}

function seen(
  { outcome, reason, decidedOn }: ExchangeResult['decision'] | ExplainResult['decision'],
  isTold: boolean,
) {
  const isOfTheToken = decidedOn.identityRevision === undefined
  return { outcome, reason, isDisclosed: isTold || isOfTheToken }
}

function fetchErrorCode(error: unknown): string {
  return error instanceof FetchError ? error.code : 'internal'
}

function identityRoutes(parts: Parts, shared: Shared): readonly Route[] {
  const { config, clock, db, policies, pageTokens } = parts
  const { identities, issuers, projects } = shared
  const changes: ChangeWorkloadIdentityDeps = {
    ...config,
    db,
    clock,
    knownRoles: Object.keys(BUILT_IN_ROLES),
    findProject: projects.get,
    findIdentity: identities.find,
    findIssuer: issuers.findByUrl,
    checkIssuerUrl: shared.checkIssuerUrl,
    freeIssuerId: (url) => issuerIdFromUrl(url, issuers.isTaken),
    defaultAlgorithms: DEFAULT_ALGORITHMS,
    preparePolicy: parts.preparePolicy,
    insertIssuer,
    insertPolicy,
  }
  const inTurn = createOneAtATime()
  return [
    ...createWorkloadIdentityRoutes({
      workloadIdentityBody: workloadIdentitySchema,
      createWorkloadIdentity: (id, body, projectId) => createWorkloadIdentity(changes, id, body, projectId),
    }),
    ...listWorkloadIdentitiesRoutes({ identities, projects, pageTokens }),
    getWorkloadIdentityRoute({ identities }),
    patchWorkloadIdentityRoute({
      workloadIdentityPatch: workloadIdentityPatchSchema,
      updatableFields: UPDATABLE_FIELDS,
      changeWorkloadIdentity: async (email, { body, mask, ifMatch }) => {
        const patch = readIdentityPatch(body, mask)
        return inTurn(email, () => changeWorkloadIdentity(changes, email, patch, ifMatch))
      },
    }),
    deleteWorkloadIdentityRoute({
      deleteIdentity: (email, ifMatch) =>
        inTurn(email, () => deleteWorkloadIdentity(changes, email, ifMatch)),
    }),
    undeleteWorkloadIdentityRoute({
      undeleteIdentity: (email, ifMatch) =>
        inTurn(email, () => undeleteWorkloadIdentity(changes, email, ifMatch)),
    }),
    getIdentityPolicyRoute({ identities, policies }),
  ]
}

function projectRoutes({ db, clock, pageTokens }: Parts, { projects }: Shared): readonly Route[] {
  const changes = { db, clock }
  const inTurn = createOneAtATime()
  return [
    createProjectRoute({ projectBody, createProject: (id, body) => createProject(changes, id, body) }),
    listProjectsRoute({ projects, pageTokens }),
    getProjectRoute({ projects }),
    patchProjectRoute({
      projectBody,
      projectFields: PROJECT_FIELDS,
      changeProject: (id, body, ifMatch) => inTurn(id, () => changeProject(changes, id, body, ifMatch)),
    }),
    deleteProjectRoute({
      deleteProject: (id, ifMatch) => inTurn(id, () => deleteProject(changes, id, ifMatch)),
    }),
    undeleteProjectRoute({
      undeleteProject: (id, ifMatch) => inTurn(id, () => undeleteProject(changes, id, ifMatch)),
    }),
  ]
}

function issuerRoutes({ db, clock, pageTokens }: Parts, shared: Shared): readonly Route[] {
  const { issuers, keyCache, checkIssuerUrl } = shared
  const change = { db, clock }
  const keyStatus = keyCache.status
  return [
    createIssuerRoute({
      issuerBody,
      createIssuer: (id, body) => createIssuer({ db, clock, checkIssuerUrl }, id, body),
      keyStatus,
    }),
    listIssuersRoute({ issuers, keyStatus, pageTokens }),
    getIssuerRoute({ issuers, keyStatus }),
    updateIssuerRoute({
      issuerPatch,
      updateIssuer: (id, asked) => updateIssuer(change, id, asked),
      keyStatus,
    }),
    deleteIssuerRoute({ deleteIssuer: (id, ifMatch) => deleteIssuer(change, id, ifMatch) }),
    undeleteIssuerRoute({ undeleteIssuer: (id, ifMatch) => undeleteIssuer(change, id, ifMatch), keyStatus }),
    refreshIssuerKeysRoute({
      refreshKeys: (id, ifMatch) => refreshKeys({ issuers, keyCache }, id, ifMatch),
      keyStatus,
    }),
  ]
}

function decisionRoutes({ decisions, pageTokens }: Parts): readonly Route[] {
  return [
    listDecisionsRoute({ decisionParameters, readDecisionFilter, decisions, pageTokens }),
    getDecisionRoute({ decisions }),
  ]
}

/** Refusals of tokens that did not verify never share a statement with decisions on those that did. */
function inTwoLanes(createLane: () => RecordDecision): RecordDecision {
  const [verified, unverified] = [createLane(), createLane()]
  return (decision, options) =>
    (decision.decidedOn.identityRevision === undefined ? unverified : verified)(decision, options)
}
