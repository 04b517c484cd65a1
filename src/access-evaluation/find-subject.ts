import { createHash } from 'node:crypto'
import type { AccessDecidedOn } from '../decision/decision.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { Rule } from '../identity/rule.ts'
import type { LiveToken } from '../issuance/find-live-token.ts'
import type { AccessQuestion } from './access-question.ts'

/** Whom a question is about. */
export type Subject = KnownSubject | UnknownSubject

export type KnownSubject = {
  readonly isKnown: true
  readonly type: 'token' | 'workload'
  readonly email: string
  readonly identityId: string
  /** The id of the project that the identity belongs to; null where that is the workspace. */
  readonly project: string | null
  readonly issuerUrl: string
  /** The ids of the rules that a token met and that still stand, and its roles that they still give; none of a workload. */
  readonly rules: readonly string[]
  readonly roles: readonly string[]
  /** All rules of the identity. */
  readonly identityRules: readonly Rule[]
  readonly tokenHash: string | null
  readonly standsOn: SubjectRevisions
}

export type UnknownSubject = {
  readonly isKnown: false
  readonly reason: 'subject_unknown' | 'token_inactive' | 'identity_unknown' | 'identity_inactive'
  /** Null where the question names none. */
  readonly email: string | null
  readonly identity: StoredIdentity | undefined
  readonly tokenHash: string | null
  readonly issuerUrl: string | null
  readonly standsOn: SubjectRevisions
}

type SubjectRevisions = Pick<
  AccessDecidedOn,
  'identityRevision' | 'projectRevision' | 'issuerRevision' | 'tokenDecisionId' | 'tokenKeyId'
>

export type FindSubjectDeps = {
  /** A token of ours that counts, for whichever audience; what it stands on is held against the current revisions later. */
  readonly findLiveToken: (token: string) => Promise<LiveToken | undefined>
  readonly findIdentity: (email: string) => Promise<{ readonly identity: StoredIdentity | undefined }>
  readonly isEmail: (text: string) => boolean
  readonly findIssuer: (
    issuerUrl: string,
  ) => Promise<{ readonly state: string; readonly revision: string } | undefined>
}

/** Longer than any token of ours; a job's may be as long. */
const MAX_TOKEN_LENGTH = 16_384

/** Finds whom a question is about: the identity of an access token, by what it has of that, or one by its email. */
export function findSubject(
  deps: FindSubjectDeps,
  { type, id }: AccessQuestion['subject'],
): Promise<Subject> {
  if (type === 'token') return findToken(deps, id)
  if (type === 'workload') return findWorkload(deps, id)
  return Promise.resolve(unknown('subject_unknown'))
}

async function findToken(deps: FindSubjectDeps, token: string): Promise<Subject> {
  const tokenHash = createHash('sha256').update(token).digest('hex')
  const live = token.length > MAX_TOKEN_LENGTH ? undefined : await deps.findLiveToken(token)
  if (live === undefined) return { ...unknown('token_inactive'), tokenHash }
  const { identity, identityRules, rules, roles, projects, standsOn, claims } = live
  const { issuerUrl, ...revisions } = standsOn
  return {
    isKnown: true,
    type: 'token',
    email: identity.email,
    identityId: identity.id,
    project: identity.project,
    issuerUrl,
    rules,
    roles: identity.project === null ? roles : projects.flatMap((each) => each.roles),
    identityRules,
    tokenHash,
    standsOn: { ...revisions, tokenDecisionId: claims.decisionId, tokenKeyId: claims.keyId },
  }
}

/** Whoever it is that the service behind us knows by its email: without a token it has met no rule. */
async function findWorkload(deps: FindSubjectDeps, email: string): Promise<Subject> {
  // What is no email may be a token by mistake, and longer than a row takes: it is kept nowhere.
  if (!deps.isEmail(email)) return unknown('identity_unknown')
  const { identity } = await deps.findIdentity(email)
  if (identity === undefined) {
    const standsOn = { ...NOTHING, identityRevision: null }
    return { ...unknown('identity_unknown'), email, standsOn }
  }
  const { issuerUrl, rules: identityRules } = identity.workloadIdentityConfig
  const issuer = await deps.findIssuer(issuerUrl)
  const standsOn = {
    ...NOTHING,
    identityRevision: identity.revision,
    projectRevision: identity.project?.revision ?? null,
    issuerRevision: issuer?.revision ?? null,
  }
  if (!identity.isActive || issuer?.state !== 'ACTIVE') {
    return { ...unknown('identity_inactive'), email, identity, issuerUrl, standsOn }
  }
  return {
    isKnown: true,
    type: 'workload',
    email: identity.email,
    identityId: identity.id,
    project: identity.project?.id ?? null,
    issuerUrl,
    rules: [],
    roles: [],
    identityRules,
    tokenHash: null,
    standsOn,
  }
}

const NOTHING: SubjectRevisions = {
  identityRevision: undefined,
  projectRevision: null,
  issuerRevision: null,
  tokenDecisionId: null,
  tokenKeyId: null,
}

function unknown(reason: UnknownSubject['reason']): UnknownSubject {
  return {
    isKnown: false,
    reason,
    email: null,
    identity: undefined,
    tokenHash: null,
    issuerUrl: null,
    standsOn: NOTHING,
  }
}
