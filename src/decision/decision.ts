import type { TokenReason } from '../token/token-reason.ts'

export type Outcome = 'ALLOWED' | 'DENIED' | 'FAILED'
export type DecisionKind = 'EXCHANGE' | 'DRY_RUN' | 'ACCESS'

/** Why a decision is what it is, in the order in which reasons are looked for: the first that applies is recorded. */
export type Reason =
  | TokenReason
  | 'identity_unknown'
  | 'identity_inactive'
  | 'identity_issuer'
  | 'token_audience'
  | 'audience_not_allowed'
  | 'policy_error'
  | 'policy_timeout'
  | 'policy_memory'
  | 'condition_not_met'
  | 'denied_by_conditions'
  | 'denied_by_guardrails'
  | 'token_replayed'
  | 'allowed'

/** The same of an access decision. */
export type AccessReason =
  | 'subject_unknown'
  | 'token_inactive'
  | 'identity_unknown'
  | 'identity_inactive'
  | 'resource_unknown'
  | 'policy_error'
  | 'policy_timeout'
  | 'policy_memory'
  | 'rule_not_met'
  | 'role_missing'
  | 'permission_unknown'
  | 'allowed'

/** The roles that an identity of a project has, in that project (`projects/ID`) only. */
export type ProjectRoles = { readonly name: string; readonly roles: readonly string[] }

/** What an access token will be signed for once its decision is recorded. Times in seconds since the epoch. */
export type Grant = {
  readonly email: string
  readonly audience: string
  /** In the whole workspace. */
  readonly roles: readonly string[]
  readonly projects: readonly ProjectRoles[]
  readonly rules: readonly string[]
  readonly workload: Readonly<Record<string, string>>
  readonly keyId: string
  readonly issueTime: number
  readonly expireTime: number
}

/** The columns of a decision that do not depend on its outcome. Times in milliseconds since the epoch. */
export type DecisionFacts = {
  readonly id: string
  readonly kind: 'EXCHANGE'
  readonly identity: string
  readonly identityId: string | null
  readonly issuerUrl: string | null
  readonly subject: string | null
  /** The exact JSON text that the policy saw; only of a token whose signature was verified. */
  readonly claims: string | null
  /** The policy's verdict as JSON text; null where no policy of the identity ran. */
  readonly verdict: string | null
  readonly policyDigest: string | null
  readonly guardrailsDigest: string | null
  /** Lower-case hex. */
  readonly subjectTokenHash: string
  readonly subjectKeyId: string | null
  readonly decideTime: number
  readonly requestId: string
  readonly callerIp: string
  readonly userAgent: string | null
  /** The path of the job's project in lower case, to be found by; only of a token whose signature was verified. */
  readonly projectPath: string | null
  /** The id of the claimgate project that the identity belongs to. */
  readonly project: string | null
}

/** The revisions that a decision was made on: recorded only while they are still current. */
export type DecidedOn = {
  /** Undefined where the identity was not looked at; null where there is none under this email. */
  readonly identityRevision: string | null | undefined
  /** Its project's; null where it has none. */
  readonly projectRevision: string | null
  readonly issuerRevision: string | null
  /** The guardrails'; null where they were not looked at. */
  readonly guardrailsRevision: string | null
}

/** A use that no other decision may repeat: (issuer, SHA-256 of jti), kept until the token cannot be presented again. */
export type SingleUse = { readonly jtiHash: string; readonly keepUntil: number }

export type AllowedDecision = DecisionFacts & {
  readonly outcome: 'ALLOWED'
  readonly reason: 'allowed'
  readonly decidedOn: DecidedOn
  readonly singleUse: SingleUse | null
  readonly grant: Grant
}

export type RefusedDecision = DecisionFacts & {
  readonly outcome: 'DENIED' | 'FAILED'
  readonly reason: Exclude<Reason, 'allowed'>
  readonly decidedOn: DecidedOn
}

export type Decision = AllowedDecision | RefusedDecision

/** What an exchange would have come to. It has no grant, so it issues nothing, and it uses nothing up. */
export type DryRun = Omit<DecisionFacts, 'kind'> & {
  readonly kind: 'DRY_RUN'
  readonly outcome: Outcome
  readonly reason: Reason
  readonly decidedOn: DecidedOn
  /** Until then no other dry run of this token for this identity gets a row. */
  readonly keepUntil: number
}

/**
 * Whether a subject may do something, as it is asked by a service behind us. `claims` are the policy's whole input, and
 * null like the verdict where there was nothing to ask it: no identity, or no resource that there could be.
 */
export type AccessDecision = Omit<
  DecisionFacts,
  'kind' | 'identity' | 'subjectTokenHash' | 'subject' | 'guardrailsDigest' | 'projectPath'
> & {
  readonly kind: 'ACCESS'
  readonly outcome: Outcome
  readonly reason: AccessReason
  /** Null where the subject is no identity that we know. */
  readonly identity: string | null
  /** Null where the subject is no token. */
  readonly subjectTokenHash: string | null
  readonly asked: AskedAccess
  readonly decidedOn: AccessDecidedOn
}

/** What an access decision is on. */
export type AskedAccess = {
  /** Who asks, by the name of the resource that stands for them. */
  readonly caller: string
  readonly subjectType: string
  readonly permission: string
  readonly resourceType: string
  readonly resourceId: string
}

/** The revisions that an access decision was made on. */
export type AccessDecidedOn = Pick<DecidedOn, 'identityRevision' | 'projectRevision' | 'issuerRevision'> & {
  /** That of all roles; null where none were looked at. */
  readonly rolesRevision: string | null
  /** The project that is the resource; null where it is none. Its revisions are null where there is no such project. */
  readonly resourceProject: string | null
  readonly resourceRevision: string | null
  readonly iamRevision: string | null
  /** The decision that the subject's access token was issued on, which must not be revoked; null where it is no token. */
  readonly tokenDecisionId: string | null
  /** The key that signed it, of which nothing must know that it was taken away. */
  readonly tokenKeyId: string | null
}

declare const recorded: unique symbol

/** A decision that was made on current revisions; without a row where none was wanted, or one is there already. */
export type Settled<D> = D & { readonly hasRow: boolean }

/** An allowed decision whose row is committed. Only the recorder makes one, and signing accepts nothing less. */
export type Recorded<D extends AllowedDecision> = Settled<D> & { readonly [recorded]: true }

/** What may become of a decision when it is recorded: an allowed one may find its token used. */
export type Outcomes<D> = D extends AllowedDecision
  ? Recorded<AllowedDecision> | Settled<RefusedDecision>
  : Settled<D>

/** The use that an allowed decision ran into. `useTime` in milliseconds since the epoch. */
export type EarlierUse = { readonly decisionId: string; readonly useTime: number }
