import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { shownList, shownText } from '../fields/field-path.ts'
import {
  type Binding,
  holdIdentities,
  listBindings,
  type MemberIdentity,
  toIamPolicy,
  writeBindings,
} from './binding-store.ts'
import { type Caller, checkMayGive, maySeeIdentitiesOf } from './caller.ts'
import { type IamPolicy, type IamPolicyBody, type Member, memberText, readMember } from './iam-policy.ts'
import { lockProject } from './project-store.ts'
import { roleProblem } from './role.ts'
import { holdRoles, type RoleStore } from './role-store.ts'

export type SetIamPolicyDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly recordIamPolicy: RecordChange<IamPolicyOf>
  readonly roles: Pick<RoleStore, 'listOwnPermissions'>
}

/** An IamPolicy, and whose it is. */
export type IamPolicyOf = { readonly projectId: string; readonly policy: IamPolicy }

/** A binding that is asked for, with the member's place in the body. */
type Wanted = Member & { readonly role: string; readonly at: string }

/** `added`: the bindings that were not there before. */
export type SavedIamPolicy = { readonly policy: IamPolicy; readonly added: readonly Binding[] }

/**
 * Sets who has which role in a project; what the policy does not say is taken away. A member is the identity that has
 * the email now: its memberships are its own, not its email's. What stays as it was is not judged anew: a rule may be gone
 * since, an identity deleted. Throws `not_found`, `failed_precondition` for a deleted project, `aborted` where its etag
 * is another, `invalid_argument` naming the role or member at fault, `permission_denied` where a role is given or taken
 * that gives of claimgate's own what the caller does not hold in this project.
 */
export async function setIamPolicy(
  { db, clock, roles, recordIamPolicy }: SetIamPolicyDeps,
  caller: Caller,
  projectId: string,
  { policy }: IamPolicyBody,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedIamPolicy> {
  const wanted = readBindings(policy)
  const roleNames = [...(await roles.listOwnPermissions()).keys()]
  return db.kysely.transaction().execute(async (trx) => {
    const project = await lockProject(trx, projectId)
    if (project === undefined) throw new RequestError('not_found', 'There is no such project.')
    if (project.state === 'DELETED') {
      throw new RequestError('failed_precondition', `projects/${projectId} is deleted: undelete it first.`)
    }
    checkRevision(project.iamRevision, ifMatch, policy.etag)

    const current = new Map((await listBindings(trx, projectId)).map((each) => [keyOf(each), each]))
    const emails = new Set(wanted.map(({ email }) => email))
    const identities = new Map((await holdIdentities(trx, [...emails])).map((each) => [each.email, each]))
    const given = await holdRoles(
      trx,
      [...policy.bindings, ...current.values()].map(({ role }) => role),
    )
    for (const [index, { role }] of policy.bindings.entries()) {
      if (given.has(role)) continue
      throw invalidArgument(`policy.bindings[${index}].role ${roleProblem(role, roleNames)}.`)
    }
    const next = new Map(
      wanted.map((each) => [
        keyOf(each),
        current.get(keyOf(each)) ?? newBinding(caller, each, identities.get(each.email)),
      ]),
    )
    const added = [...next].filter(([key]) => !current.has(key)).map(([, binding]) => binding)
    const removed = [...current].filter(([key]) => !next.has(key)).map(([, binding]) => binding)
    checkMayGive(
      caller,
      [...added, ...removed].map(({ role }) => ({ role, projectId })),
      given,
    )
    const before = { projectId, policy: toIamPolicy([...current.values()], project.iamRevision) }
    if (added.length === 0 && removed.length === 0) return { policy: before.policy, added }
    const revision = await writeBindings(trx, projectId, { added, removed })
    const after = { projectId, policy: toIamPolicy([...next.values()], revision) }
    const verb = 'SET_IAM_POLICY'
    await recordIamPolicy(trx, { verb, before, after }, authorship, new Date(clock()))
    return { policy: after.policy, added }
  })
}

/** What the policy says, member by member; what it says twice comes twice. */
function readBindings({ bindings }: IamPolicyBody['policy']): readonly Wanted[] {
  return bindings.flatMap(({ role, members }, index) =>
    members.map((text, place) => {
      const at = `policy.bindings[${index}].members[${place}]`
      const member = readMember(text)
      if (member !== undefined) return { ...member, role, at }
      throw invalidArgument(
        `${at} must be 'workloadIdentity:EMAIL' or 'workloadIdentity:EMAIL#RULE', not ${shownText(text)}.`,
      )
    }),
  )
}

function keyOf(binding: Member & { readonly role: string }): string {
  return `${binding.role} ${memberText(binding)}`
}

/** A binding that is not there yet; throws `invalid_argument` unless its member is a living identity with this rule. */
function newBinding(
  caller: Caller,
  { role, at, ...member }: Wanted,
  identity: MemberIdentity | undefined,
): Binding {
  const { email, rule } = member
  const refuse = (problem: string) => invalidArgument(`${at} ${problem}.`)
  if (identity === undefined)
    throw refuse(`names ${shownText(email)}, and there is no such workload identity`)
  if (member.isDeleted)
    throw refuse(
      `says deleted:, which may only stay where it is: ${shownText(email)} is no deleted member of this role`,
    )
  if (identity.isDeleted) throw refuse(`names ${shownText(email)}, which is deleted: undelete it first`)
  if (rule !== '' && !identity.rules.includes(rule)) {
    // Which rules an identity has is told to who may see it.
    const mend = maySeeIdentitiesOf(caller, identity.projectId)
      ? `: it must be ${shownList(identity.rules)}`
      : ''
    throw refuse(`names the rule ${shownText(rule)}, which ${email} does not have${mend}`)
  }
  return { role, identityId: identity.id, rule, email, isDeleted: false }
}
