import { invalidArgument, RequestError } from '../errors.ts'
import type { Finding } from '../finding/finding.ts'
import { isJsonObject } from '../json.ts'
import type { PolicyProblem } from '../policy/policy-problem.ts'
import type { TestResult } from '../policy-test/policy-test.ts'
import { blockingNotices, findBlocking } from './acknowledge-findings.ts'
import { checkIdentityId, parseEmail } from './identity-email.ts'
import { issuerFor } from './identity-issuer.ts'
import { readIdentityPatch } from './identity-patch.ts'
import type { ChangeableIdentity } from './identity-store.ts'
import { type ParsedWorkloadIdentity, parseWorkloadIdentity } from './parse-workload-identity.ts'
import {
  findBlockingUpdate,
  type PlannedUpdate,
  readChange,
  type UpdateWorkloadIdentityDeps,
} from './update-workload-identity.ts'

/** What keeps an identity from being saved: of its Rego with the place there, of anything else with the field. */
export type IdentityProblem =
  | PolicyProblem
  | { readonly code: 'invalid_field'; readonly message: string; readonly field: string }

export type Validation = {
  readonly problems: readonly IdentityProblem[]
  readonly findings: readonly Finding[]
  readonly tests: readonly TestResult[]
  readonly notices: readonly string[]
}

/** An identity that there is or could be. */
type Subject = {
  readonly email: string
  readonly projectId: string | null
  readonly stored?: ChangeableIdentity | undefined
}

const NAME = 'workloadIdentities/'
const NOTHING = { findings: [], tests: [], notices: [] }

/**
 * What a save of this would say; nothing is saved. A body with the `name` of an identity that there is, and which is not
 * deleted, is read as a change of it (the fields that it has), any other as a create's. Throws `invalid_argument` for
 * what no identity's body looks like; whatever else is wrong is a problem.
 */
export async function validateWorkloadIdentity(
  deps: UpdateWorkloadIdentityDeps,
  body: unknown,
): Promise<Validation> {
  const subject = await subjectOf(deps, body)
  if ('problem' in subject) return { problems: [subject.problem], ...NOTHING }
  const parsed = read(deps, subject, body)
  if (!parsed.ok) {
    if (parsed.isMisshapen) throw invalidArgument(`${parsed.field} ${parsed.message}.`)
    return { problems: [fieldProblem(parsed.field, `${parsed.message}.`)], ...NOTHING }
  }
  return judge(deps, subject, { ...parsed, state: wantedState(subject, body) })
}

/** Whom a body is about, or what is wrong with its name or email. */
async function subjectOf(
  deps: UpdateWorkloadIdentityDeps,
  body: unknown,
): Promise<Subject | { readonly problem: IdentityProblem }> {
  const { name, email: given } = isJsonObject(body) ? body : {}
  const [field, prefix, text] = name === undefined ? ['email', '', given] : ['name', NAME, name]
  // What is no text is told by whoever reads the body.
  if (typeof text !== 'string') return { email: `new@${deps.identityDomain}`, projectId: null }
  const email = text.startsWith(prefix) ? text.slice(prefix.length) : ''
  const found = name === undefined ? undefined : await deps.findIdentity(email)
  const stored = found?.state === 'DELETED' ? undefined : found
  if (stored !== undefined) return { email, projectId: stored.project?.id ?? null, stored }

  const { local = '', domain = '' } = parseEmail(email) ?? {}
  const isOfWorkspace = domain === deps.identityDomain
  if (
    checkIdentityId(local) !== undefined ||
    !(isOfWorkspace || domain.endsWith(`.${deps.identityDomain}`))
  ) {
    const right = `${prefix}ID@${deps.identityDomain}, or ${prefix}ID@PROJECT.${deps.identityDomain} in a project`
    return { problem: fieldProblem(field, `must be ${right}.`) }
  }
  if (isOfWorkspace) return { email, projectId: null }
  const projectId = domain.slice(0, -deps.identityDomain.length - 1)
  const project = await deps.findProject(projectId)
  if (project?.state === 'ACTIVE') return { email, projectId }
  return { problem: fieldProblem(field, `names projects/${projectId}, and there is no such project.`) }
}

function read(
  deps: UpdateWorkloadIdentityDeps,
  { email, stored }: Subject,
  body: unknown,
): ParsedWorkloadIdentity {
  if (stored === undefined) return parseWorkloadIdentity(body, { ...deps, email })
  return readChange(deps, stored, readIdentityPatch(body, undefined))
}

function wantedState({ stored }: Subject, body: unknown): 'ACTIVE' | 'DISABLED' {
  if (stored === undefined) return 'ACTIVE'
  const { state = stored.state } = readIdentityPatch(body, undefined)
  return state === 'DISABLED' ? state : 'ACTIVE'
}

async function judge(
  deps: UpdateWorkloadIdentityDeps,
  { email, projectId, stored }: Subject,
  plan: PlannedUpdate,
): Promise<Validation> {
  const { spec, notices } = plan
  const { workloadIdentityConfig: config } = spec
  const [issuer, policy] = await Promise.all([
    orProblems(issuerFor(deps, config), 'workloadIdentityConfig.issuerUrl'),
    orProblems(deps.preparePolicy(config), 'workloadIdentityConfig.rules'),
  ])
  const findings = deps.findFindings(spec, { projectId, memberships: stored?.memberships ?? [] })
  const blocking =
    stored === undefined ? findBlocking(deps, findings, []) : findBlockingUpdate(deps, stored, plan, findings)
  return {
    problems: [...issuer.problems, ...policy.problems],
    findings,
    tests:
      policy.value === undefined ? [] : await deps.runTests({ email, projectId, spec, policy: policy.value }),
    notices: [
      ...(stored === undefined ? [] : [`This is judged as a change of ${NAME}${email}.`]),
      ...notices,
      ...(issuer.value?.notices ?? []),
      ...blockingNotices(deps, blocking),
    ],
  }
}

/** What came of it, or the problems that a save would be refused with. Any other fault is thrown. */
async function orProblems<Value>(
  work: Promise<Value>,
  field: string,
): Promise<{ readonly value?: Value; readonly problems: readonly IdentityProblem[] }> {
  try {
    return { value: await work, problems: [] }
  } catch (error) {
    if (!(error instanceof RequestError) || error.code !== 'invalid_argument') throw error
    const [details] = error.details as readonly { readonly problems?: readonly PolicyProblem[] }[]
    const { message } = error
    // Most begin with the field at fault, which may be another than the one that was looked at.
    const [named = field] = /^workloadIdentityConfig\S*/.exec(message) ?? []
    return { problems: details?.problems ?? [{ code: 'invalid_field', message, field: named }] }
  }
}

function fieldProblem(field: string, message: string): IdentityProblem {
  return { code: 'invalid_field', message: `${field} ${message}`, field }
}
