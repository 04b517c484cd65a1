import type { ProjectMemberships } from '../access/membership-store.ts'
import type { RolePermissions } from '../access/role-permissions-store.ts'
import type { Clock } from '../clock.ts'
import type { AccessDecision, Outcome } from '../decision/decision.ts'
import type { AccessEvaluation } from '../policy/evaluation.ts'
import { accessInput } from './access-input.ts'
import type { AccessQuestion, AccessRequest } from './access-question.ts'
import type { KnownSubject, Subject } from './find-subject.ts'

export type DecideAccessDeps = {
  readonly clock: Clock
  readonly newDecisionId: (timeMs: number) => string
  readonly findRolePermissions: () => Promise<RolePermissions>
  /** A project and what an identity is bound to in it; undefined where there is no such project. */
  readonly findMemberships: (identityId: string, projectId: string) => Promise<ProjectMemberships | undefined>
  readonly policyDigest: string
  /** Evaluates the policy of access decisions on an input in JSON text. */
  readonly evaluatePolicy: (digest: string, input: string) => Promise<AccessEvaluation>
}

type Asker = AccessRequest & { readonly caller: string }

/** Decides whether a subject may do what is asked. Nothing is recorded yet, and nothing may be answered. */
export async function decideAccess(
  deps: DecideAccessDeps,
  request: Asker,
  question: AccessQuestion,
  subject: Subject,
): Promise<AccessDecision> {
  const { resource } = question
  const facts = factsOf(deps, request, question, subject)
  const decidedOn = { ...subject.standsOn, ...NO_RESOURCE }
  if (!subject.isKnown) return { ...facts, outcome: 'DENIED', reason: subject.reason, decidedOn }
  if (!isResource(resource)) return { ...facts, outcome: 'DENIED', reason: 'resource_unknown', decidedOn }

  const [roles, project] = await Promise.all([
    deps.findRolePermissions(),
    resource.type === 'project' ? deps.findMemberships(subject.identityId, resource.id) : undefined,
  ])
  const claims = accessInput(question, subject, project, roles, facts.decideTime)
  const evaluation = await deps.evaluatePolicy(deps.policyDigest, claims)
  const isThere = resource.type === 'workspace' || project?.isActive === true
  return {
    ...facts,
    claims,
    policyDigest: deps.policyDigest,
    verdict: evaluation.ok ? evaluation.verdictText : null,
    ...resultOf(evaluation, isThere),
    decidedOn: {
      ...subject.standsOn,
      rolesRevision: roles.revision,
      resourceProject: resource.type === 'project' ? resource.id : null,
      resourceRevision: project?.revision ?? null,
      iamRevision: project?.iamRevision ?? null,
    },
  }
}

function resultOf(
  evaluation: AccessEvaluation,
  isThere: boolean,
): { readonly outcome: Outcome; readonly reason: AccessDecision['reason'] } {
  if (!evaluation.ok) return { outcome: 'FAILED', reason: evaluation.reason }
  if (!isThere) return { outcome: 'DENIED', reason: 'resource_unknown' }
  if (evaluation.denial !== undefined) return { outcome: 'DENIED', reason: evaluation.denial }
  return evaluation.allow
    ? { outcome: 'ALLOWED', reason: 'allowed' }
    : { outcome: 'FAILED', reason: 'policy_error' }
}

/** A project by its id, whether there is one or not, or the one workspace. */
function isResource({ type, id }: AccessQuestion['resource']): boolean {
  return type === 'project' || (type === 'workspace' && id === 'default')
}

const NO_RESOURCE = {
  rolesRevision: null,
  resourceProject: null,
  resourceRevision: null,
  iamRevision: null,
}

function factsOf(
  deps: Pick<DecideAccessDeps, 'clock' | 'newDecisionId'>,
  request: Asker,
  { subject: { type }, action, resource }: AccessQuestion,
  subject: Subject,
) {
  const decideTime = deps.clock()
  return {
    id: deps.newDecisionId(decideTime),
    kind: 'ACCESS' as const,
    decideTime,
    identity: subject.email,
    identityId: identityIdOf(subject),
    project: projectOf(subject),
    issuerUrl: subject.issuerUrl,
    subjectTokenHash: subject.tokenHash,
    subjectKeyId: null,
    claims: null,
    verdict: null,
    policyDigest: null,
    requestId: request.requestId,
    callerIp: request.callerIp,
    userAgent: request.userAgent,
    asked: {
      caller: request.caller,
      subjectType: type,
      permission: action.name,
      resourceType: resource.type,
      resourceId: resource.id,
    },
  }
}

function identityIdOf(subject: Subject): string | null {
  return subject.isKnown ? subject.identityId : (subject.identity?.id ?? null)
}

function projectOf(subject: KnownSubject | Subject): string | null {
  return subject.isKnown ? subject.project : (subject.identity?.project?.id ?? null)
}
