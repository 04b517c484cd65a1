import type { AccessDecision, Settled } from '../decision/decision.ts'
import { shownText } from '../fields/field-path.ts'
import type { AccessGrant, AccessVerdict } from '../policy/access-verdict.ts'
import type { NoQuestion } from './access-question.ts'
import type { Subject } from './find-subject.ts'

/** The answer to a question as AuthZEN has it. */
export type AccessAnswer = { readonly decision: boolean; readonly context: AccessContext | ProblemContext }

export type AccessContext = {
  readonly reason: AccessDecision['reason']
  readonly message: string
  /** Absent where it got no row of its own. */
  readonly decisionId?: string
  /** What gives the permission. */
  readonly grants?: readonly AccessGrant[]
  /** What would give it. */
  readonly missing?: AccessVerdict['missing']
}

export type ProblemContext = { readonly error: { readonly status: 400; readonly message: string } }

export function noAnswer({ problem }: NoQuestion): AccessAnswer {
  return { decision: false, context: { error: { status: 400, message: problem } } }
}

/**
 * What whoever asks may know of a decision. A token that asks about itself is told the same of a project that it has
 * nothing in and of one that there is not.
 */
export function answerTo(
  recorded: Settled<AccessDecision>,
  mayKnowAll: boolean,
  subject: Subject,
): AccessAnswer {
  const { verdict: text, outcome, hasRow, id } = recorded
  const verdict: AccessVerdict | undefined = text === null ? undefined : JSON.parse(text)
  const isHidden = recorded.reason === 'resource_unknown' && !mayKnowAll && verdict?.allow === false
  const reason = isHidden && verdict !== undefined ? verdict.reason : recorded.reason
  const isExplained = verdict !== undefined && reason === verdict.reason
  return {
    decision: outcome === 'ALLOWED',
    context: {
      reason,
      message: isExplained ? explain(verdict, recorded, subject) : WORDS[reason](recorded),
      ...(hasRow && { decisionId: id }),
      ...(isExplained && (verdict.allow ? { grants: verdict.grants } : { missing: verdict.missing })),
    },
  }
}

/** What is told where the policy has nothing to say. */
const WORDS: Readonly<Record<AccessDecision['reason'], (decision: AccessDecision) => string>> = {
  subject_unknown: ({ asked }) =>
    `A subject is a 'token' or a 'workload', not a ${shownText(asked.subjectType)}.`,
  token_inactive: () => 'The token is not an access token of ours that counts now.',
  identity_unknown: ({ identity }) =>
    identity === null
      ? "A workload's id is the email of its identity, and this is no email."
      : `There is no identity ${shownText(identity)}.`,
  identity_inactive: ({ identity }) => `The identity ${shownText(identity ?? '')} is not active.`,
  resource_unknown: ({ asked: { resourceType, resourceId } }) =>
    resourceType === 'project'
      ? `There is no project ${shownText(resourceId)}${withoutPrefix(resourceId)}.`
      : `A resource is a 'project' by its id or the 'workspace' 'default', not a ${shownText(resourceType)} ${shownText(resourceId)}.`,
  policy_error: () => 'The policy gave no verdict, so the answer is no.',
  policy_timeout: () => 'The policy gave no verdict in time, so the answer is no.',
  policy_memory: () => 'The policy gave no verdict, so the answer is no.',
  // What follows is explained by the verdict.
  rule_not_met: () => '',
  role_missing: () => '',
  permission_unknown: () => '',
  allowed: () => '',
}

/** The name of a project is often taken for its id. */
function withoutPrefix(resourceId: string): string {
  return resourceId.startsWith('projects/') ? ": a project is named by its id alone, without 'projects/'" : ''
}

function explain(verdict: AccessVerdict, { asked, identity }: AccessDecision, subject: Subject): string {
  const { reason, grants, missing } = verdict
  const permission = shownText(asked.permission)
  const [given] = grants
  if (given !== undefined) return `${given.role} gives ${permission} on ${missing.on}${whence(given)}.`
  const [unmet] = missing.grants
  if (unmet !== undefined) return `${unmetText(unmet, permission, missing.on, subject)}.`
  if (reason === 'permission_unknown') return `No role gives ${permission}.`
  return `${listed(missing.roles)} would give ${permission} on ${missing.on}: workloadIdentity:${identity} has none that does.`
}

function whence({ from, rule }: AccessGrant): string {
  if (from === 'rule') return `, by the rule ${shownText(rule)}`
  return rule === '' ? ', by membership' : `, by membership with the rule ${shownText(rule)}`
}

function unmetText(
  { role, from, rule }: AccessGrant,
  permission: string,
  on: string,
  subject: Subject,
): string {
  const gives = `${role} gives ${permission} on ${on}`
  const met = subject.isKnown ? subject.rules : []
  if (from === 'rule' && met.includes(rule)) {
    return `${gives}, by the rule ${shownText(rule)}, but not to this token, which is older: exchange a new one`
  }
  const those = `to tokens that met the rule ${shownText(rule)}`
  if (met.length === 0) return `${gives} ${those}; a workload without its token has met none`
  return `${gives} ${those}; this one met ${met.map(shownText).join(', ')}`
}

const MAX_LISTED = 3

function listed(roles: readonly string[]): string {
  const more = roles.length > MAX_LISTED ? [`one of ${roles.length - MAX_LISTED} others`] : []
  return [...roles.slice(0, MAX_LISTED), ...more].join(' or ')
}
