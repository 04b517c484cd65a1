import type { Clock } from '../clock.ts'
import type { Decision, DecisionFacts, SingleUse } from '../decision/decision.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { JsonObject } from '../json.ts'
import type { EvaluationResult } from '../policy/evaluate.ts'
import { policyInput } from '../provider/policy-input.ts'
import { PROVIDERS, type ProviderType } from '../provider/providers.ts'
import type { TokenRefusal, VerifiedToken } from '../token/verify-token.ts'
import { grantFor } from './grant-for.ts'

export type ExchangeRequest = {
  readonly token: string
  readonly email: string
  /** The audience that the caller asked for; ours where it asked for none. */
  readonly audience: string | undefined
  readonly requestId: string
  readonly callerIp: string
  readonly userAgent: string | null
  /** When the request came, of `performance.now()`: what it waits for is bounded from there. */
  readonly arrivedAt: number
}

export type DecideDeps = {
  readonly clock: Clock
  readonly newDecisionId: (timeMs: number) => string
  readonly verifyToken: (token: string) => Promise<VerifiedToken | TokenRefusal>
  /** `cached`: no query was made for it. */
  readonly findIdentity: (email: string) => Promise<{ identity: StoredIdentity | undefined; cached: boolean }>
  readonly reloadIdentity: (email: string) => Promise<unknown>
  readonly recordableClaims: (claims: JsonObject, recordedClaims: readonly string[]) => JsonObject
  readonly tokenAudiences: (claims: VerifiedToken['claims']) => readonly string[]
  /** The organisation's guardrails; their digest is null where there are none. */
  readonly findGuardrails: () => Promise<{ readonly digest: string | null; readonly revision: string }>
  /** Evaluates the policy of this digest on an input in JSON text, and beside it the guardrails of theirs. */
  readonly evaluatePolicy: (
    digest: string,
    input: string,
    guardrailsDigest: string | undefined,
  ) => Promise<EvaluationResult>
  /** The policies that are run where the identity gives none, so that this takes the same work. */
  readonly fallbackPolicyDigests: Readonly<Record<ProviderType, string>>
  readonly publicUrl: string
  /** The key that signs now; throws `unavailable` where there is none. */
  readonly signingKeyId: () => string
}

/** How much of a refusal its caller may see: of the token itself, nothing, or the rules whose group it met. */
export type Disclosure =
  | { readonly scope: 'token'; readonly message: string; readonly token: OwnToken | undefined }
  | { readonly scope: 'outside'; readonly token: OwnToken }
  | {
      readonly scope: 'inside'
      readonly token: OwnToken
      readonly verdict: string
      readonly audiences: readonly string[]
      readonly allowedAudiences: readonly string[]
      readonly requestedAudience: string | undefined
      readonly requestableAudiences: readonly string[]
      readonly jtiHash: string
      /** Whether a token is good for one exchange with this identity. */
      readonly isSingleUse: boolean
    }

/** The caller's own token, whose signature was verified. */
export type OwnToken = { readonly provider: ProviderType; readonly claims: JsonObject }

/** What a decision is known by, and its time in milliseconds since the epoch. */
type Moment = { readonly id: string; readonly decideTime: number }
type Decided = { readonly decision: Decision; readonly disclosure: Disclosure }

/** A used token is remembered for the largest clock skew and half a minute more after it can last be presented. */
const KEEP_USED_TOKEN_SECONDS = 300 + 35

/** Decides one exchange. Nothing is recorded yet, and nothing may be signed on it. */
export async function decide(deps: DecideDeps, request: ExchangeRequest): Promise<Decided> {
  const decideTime = deps.clock()
  // The id tells the same time to the millisecond: by it decisions are found again.
  const moment = { id: deps.newDecisionId(decideTime), decideTime }
  const token = await deps.verifyToken(request.token)
  if (!token.verified) return refuseToken(deps, request, token, moment)

  const { identity, cached } = await deps.findIdentity(request.email)
  const standing = standingOf(identity, token)
  const provider = token.issuer.providerType
  const claims = JSON.stringify(deps.recordableClaims(token.claims, identity?.recordedClaims ?? []))
  // Beside every policy, the one that is run for outsiders too, so that guardrails tell nobody by the work they take.
  const guardrails = await deps.findGuardrails()
  const evaluation = await deps.evaluatePolicy(
    standing.ok ? standing.identity.policyDigest : deps.fallbackPolicyDigests[provider],
    policyInput(claims, moment.decideTime, request.email, identity?.project?.id ?? '', provider),
    guardrails.digest ?? undefined,
  )
  const isInside = standing.ok && evaluation.ok && evaluation.groupMet
  // An outsider must not see by the time it takes that somebody uses this identity: the query it saved is made up for.
  if (cached && !isInside) await deps.reloadIdentity(request.email)

  const facts = verifiedFacts(request, token, identity, moment, claims)
  const decidedOn = {
    identityRevision: identity?.revision ?? null,
    projectRevision: identity?.project?.revision ?? null,
    issuerRevision: token.issuer.revision,
    guardrailsRevision: guardrails.revision,
  }
  if (!standing.ok) {
    const decision = {
      ...facts,
      decidedOn,
      outcome: 'DENIED',
      reason: standing.reason,
    } as const
    return { decision, disclosure: { scope: 'outside', token: ownToken(token) } }
  }
  const known = { ...facts, decidedOn, guardrailsDigest: guardrails.digest }
  return judge(deps, request, token, standing.identity, evaluation, known)
}

/** The token is good and may be for this identity: its audience and the policy decide. */
function judge(
  deps: DecideDeps,
  request: ExchangeRequest,
  token: VerifiedToken,
  identity: StoredIdentity,
  evaluation: EvaluationResult,
  known: DecisionFacts & Pick<Decision, 'decidedOn'>,
): Decided {
  const audiences = deps.tokenAudiences(token.claims)
  const facts = {
    ...known,
    policyDigest: identity.policyDigest,
    verdict: evaluation.ok ? evaluation.verdictText : null,
  }
  const disclosure: Disclosure =
    evaluation.ok && evaluation.groupMet
      ? {
          scope: 'inside',
          token: ownToken(token),
          verdict: evaluation.verdictText,
          audiences,
          allowedAudiences: identity.workloadIdentityConfig.allowedAudiences,
          requestedAudience: request.audience,
          requestableAudiences: [deps.publicUrl, ...identity.tokenAudiences],
          jtiHash: token.jtiHash,
          isSingleUse: identity.subjectTokenUse === 'ONCE',
        }
      : { scope: 'outside', token: ownToken(token) }

  const reason = audienceProblem(deps, request, identity, audiences)
  if (reason !== undefined) return { decision: { ...facts, outcome: 'DENIED', reason }, disclosure }
  if (!evaluation.ok)
    return { decision: { ...facts, outcome: 'FAILED', reason: evaluation.reason }, disclosure }
  if (evaluation.denial !== undefined)
    return { decision: { ...facts, outcome: 'DENIED', reason: evaluation.denial }, disclosure }
  const grant = grantFor(deps, request, token, identity, evaluation, facts.decideTime)
  const singleUse = identity.subjectTokenUse === 'ONCE' ? singleUseOf(token) : null
  return { decision: { ...facts, outcome: 'ALLOWED', reason: 'allowed', grant, singleUse }, disclosure }
}

function refuseToken(
  deps: DecideDeps,
  request: ExchangeRequest,
  token: TokenRefusal,
  moment: Moment,
): Decided {
  const own = token.claims && token.issuer && { provider: token.issuer.providerType, claims: token.claims }
  const claims = token.claims && deps.recordableClaims(token.claims, [])
  const subject = token.claims?.sub
  return {
    decision: {
      ...commonFacts(request, token, moment),
      identityId: null,
      project: null,
      issuerUrl: token.issuer?.issuerUrl ?? null,
      subject: typeof subject === 'string' ? subject : null,
      claims: claims === undefined ? null : JSON.stringify(claims),
      projectPath: own === undefined ? null : projectPathOf(own),
      outcome: token.outcome,
      reason: token.reason,
      decidedOn: {
        identityRevision: undefined,
        projectRevision: null,
        issuerRevision: token.issuer?.revision ?? null,
        guardrailsRevision: null,
      },
    },
    disclosure: { scope: 'token', message: token.message, token: own },
  }
}

type Standing =
  | { readonly ok: true; readonly identity: StoredIdentity }
  | { readonly ok: false; readonly reason: 'identity_unknown' | 'identity_inactive' | 'identity_issuer' }

function standingOf(identity: StoredIdentity | undefined, token: VerifiedToken): Standing {
  if (identity === undefined) return { ok: false, reason: 'identity_unknown' }
  if (!identity.isActive) return { ok: false, reason: 'identity_inactive' }
  if (identity.workloadIdentityConfig.issuerUrl !== token.issuer.issuerUrl)
    return { ok: false, reason: 'identity_issuer' }
  return { ok: true, identity }
}

function audienceProblem(
  deps: DecideDeps,
  request: ExchangeRequest,
  identity: StoredIdentity,
  audiences: readonly string[],
): 'token_audience' | 'audience_not_allowed' | undefined {
  const [audience] = audiences
  const { allowedAudiences } = identity.workloadIdentityConfig
  if (audiences.length !== 1 || audience === undefined || !allowedAudiences.includes(audience))
    return 'token_audience'
  const asked = request.audience ?? deps.publicUrl
  return asked === deps.publicUrl || identity.tokenAudiences.includes(asked)
    ? undefined
    : 'audience_not_allowed'
}

function ownToken({ claims, issuer }: VerifiedToken): OwnToken {
  return { claims, provider: issuer.providerType }
}

function singleUseOf(token: VerifiedToken): SingleUse {
  return { jtiHash: token.jtiHash, keepUntil: (token.replayableUntil + KEEP_USED_TOKEN_SECONDS) * 1000 }
}

function verifiedFacts(
  request: ExchangeRequest,
  token: VerifiedToken,
  identity: StoredIdentity | undefined,
  moment: Moment,
  claims: string,
): DecisionFacts {
  return {
    ...commonFacts(request, token, moment),
    identityId: identity?.id ?? null,
    project: identity?.project?.id ?? null,
    issuerUrl: token.issuer.issuerUrl,
    subject: token.claims.sub,
    claims,
    projectPath: projectPathOf(ownToken(token)),
  }
}

/** What every decision says, with nothing yet of what only some do. */
function commonFacts(
  request: ExchangeRequest,
  token: Pick<VerifiedToken | TokenRefusal, 'tokenHash' | 'keyId'>,
  moment: Moment,
) {
  return {
    ...moment,
    kind: 'EXCHANGE' as const,
    identity: request.email,
    verdict: null,
    policyDigest: null,
    guardrailsDigest: null,
    subjectTokenHash: token.tokenHash,
    subjectKeyId: token.keyId ?? null,
    requestId: request.requestId,
    callerIp: request.callerIp,
    userAgent: request.userAgent,
  }
}

/** More than any provider lets a path have, and little enough for an index. */
const MAX_PROJECT_PATH_BYTES = 2_048

/** What a decision is found by: paths compare without case. */
function projectPathOf({ claims, provider }: OwnToken): string | null {
  const path = claims[PROVIDERS[provider].names.project]
  if (typeof path !== 'string') return null
  const folded = path.toLowerCase()
  return Buffer.byteLength(folded) <= MAX_PROJECT_PATH_BYTES ? folded : null
}
