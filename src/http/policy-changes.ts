import { type ZodType, z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Permission } from '../access/permissions.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PlannedGuardrails } from '../guardrails/guardrails-changes.ts'
import type { AppliedChange } from '../identity/apply-identity-changes.ts'
import type { AskedChanges, WantedChange, WantedIdentity } from '../identity/identity-changes.ts'
import type { IdentitiesPlan } from '../identity/plan-identities.ts'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { failingTestsAnswer, failingTestsJson } from './failing-tests-json.ts'
import { acknowledge, findingAnswer } from './finding-json.ts'
import {
  guardrailsAnswer,
  type SavedGuardrails,
  savedGuardrailsAnswer,
  savedGuardrailsJson,
} from './guardrails-json.ts'
import { DEFAULT_IMPACT_DAYS, planDaysParameter } from './impact-parameters.ts'
import { type PlannedImpact, plannedImpactAnswer, plannedImpactJson } from './planned-impact-json.ts'
import { testResultAnswer } from './policy-test-json.ts'
import { BATCH_BODY, defineRoute, type Route, type RouteRefusal } from './route.ts'
import { policyProblemAnswer } from './save-refusals.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** A thousand policies are compiled in half a minute; a proxy in front has to wait as long. */
const ANSWER_WITHIN_MS = 120_000

const content = workloadIdentityAnswer.omit({
  name: true,
  email: true,
  etag: true,
  createTime: true,
  updateTime: true,
  policyDigest: true,
  acknowledgements: true,
  findings: true,
  notices: true,
})

const plannedFinding = findingAnswer
  .extend({
    isNew: z.boolean().meta({ description: 'Whether the identity as it is has it not.' }),
    isBlocking: z.boolean().meta({
      description:
        'Whether BLOCK_FINDINGS refuses an apply for it, unless that gives the reason in acknowledge.',
    }),
  })
  .meta({ id: 'PlannedFinding' })

const plannedChange = z
  .strictObject({
    action: z.enum(['CREATE', 'UPDATE', 'DELETE']),
    email: z.string(),
    etag: z.string().optional().meta({ description: 'Of what is changed or deleted, for the apply.' }),
    before: content.optional(),
    after: content.optional(),
    notices: z.array(z.string()),
    findings: z.array(plannedFinding).meta({ description: 'What it would let in that may not be meant.' }),
    impact: plannedImpactAnswer
      .optional()
      .meta({ description: 'Of a change of who is let in; absent of all others, and for days=0.' }),
  })
  .meta({ id: 'PlannedChange' })

const entryProblem = z.strictObject({
  index: z.int(),
  email: z.string(),
  field: z.string(),
  message: z.string(),
  problems: z.array(z.unknown()).meta({ description: 'What the compiler says, where it is the policy.' }),
})

const entryProblems = z.strictObject({ problems: z.array(entryProblem) })

const ENTRY_PROBLEMS: RouteRefusal = {
  description: 'Nothing was changed; each of those that are wrong is named, by its place in the list.',
  details: z.array(entryProblems).max(1),
}

const CHANGE_PROBLEMS: RouteRefusal = {
  description: `${ENTRY_PROBLEMS.description} Of guardrails that are wrong: their problems, or the tests that fail.`,
  details: z
    .array(
      z.union([
        entryProblems,
        z.strictObject({ problems: z.array(policyProblemAnswer) }),
        z.strictObject({ tests: z.array(testResultAnswer) }),
      ]),
    )
    .max(1),
}

const BLOCKED_FINDINGS: RouteRefusal = {
  description:
    'Nothing was changed; BLOCK_FINDINGS refuses these findings, each named by its place in the list, without acknowledge.',
  details: z
    .array(z.strictObject({ findings: z.array(findingAnswer.extend({ index: z.int(), email: z.string() })) }))
    .max(1),
}

const guardrailsContent = guardrailsAnswer.pick({ source: true, tests: true })

const plannedGuardrails = z
  .strictObject({
    etag: z.string().meta({ description: 'Of the guardrails that there are, for the apply.' }),
    before: guardrailsContent,
    after: guardrailsContent,
    impact: plannedImpactAnswer.optional().meta({
      description: 'Of these guardrails alone, on all identities as they are.',
    }),
    failingTests: failingTestsAnswer.optional().meta({
      description: 'Of the identities that the plan leaves alone.',
    }),
  })
  .meta({ id: 'PlannedGuardrails' })

type PlanBody<Wanted> = {
  workloadIdentities: WantedIdentity[]
  keep?: string[] | undefined
  guardrails?: Wanted | undefined
}

/** `guardrails`: absent where they are what is wanted, or not asked about. */
type PoliciesPlan = Pick<IdentitiesPlan, 'changes' | 'emails'> & {
  readonly guardrails: PlannedGuardrails | undefined
  readonly impacts: ReadonlyMap<string, PlannedImpact>
  readonly ofGuardrails: PlannedImpact | undefined
  readonly failingTests: FailingTests | undefined
}

/** `POST /v1/workspaces/default:planPolicies?days=N`: what an apply of these would change, and do; changes nothing. */
export function planPoliciesRoute<Wanted>(deps: {
  planBody: ZodType<PlanBody<Wanted>>
  planPolicies: (
    asked: PlanBody<Wanted>,
    options: { readonly days: number; readonly caller: AbortSignal },
  ) => Promise<PoliciesPlan>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workspaces/default:planPolicies',
    group: 'Workload identities',
    summary: 'Plan: what would change if these identities were to be there, and with keep no others.',
    operationId: 'planPolicies',
    access: 'claimgate.workloadIdentities.evaluate',
    alsoNeeds: 'claimgate.workloadIdentities.get',
    query: { days: planDaysParameter },
    body: { schema: deps.planBody, limit: BATCH_BODY },
    answer: z.strictObject({
      changes: z.array(plannedChange),
      emails: z.array(z.string()).meta({ description: 'Of these identities, in their order.' }),
      guardrails: plannedGuardrails
        .optional()
        .meta({ description: 'Absent where they are what is wanted, or nothing was said of them.' }),
    }),
    refusals: { invalid_argument: CHANGE_PROBLEMS },
    answerWithinMs: ANSWER_WITHIN_MS,
    async handle({ caller, query, body, signal = AbortSignal.timeout(ANSWER_WITHIN_MS) }) {
      if (body.guardrails !== undefined) checkHolds(caller, 'claimgate.guardrails.get')
      return {
        body: planJson(await deps.planPolicies(body, { days: daysFor(caller, query.days), caller: signal })),
      }
    },
  })
}

/** Who may not read decisions is told of none, and refused only where they ask for them. */
function daysFor(caller: Caller, asked: number | undefined): number {
  const permission = 'claimgate.decisions.list'
  if (asked !== undefined && asked > 0) checkHolds(caller, permission)
  return asked ?? (caller.permissions.has(permission) ? DEFAULT_IMPACT_DAYS : 0)
}

function planJson({ changes, emails, guardrails, impacts, ofGuardrails, failingTests }: PoliciesPlan) {
  return {
    changes: changes.map((change) => {
      const impact = impacts.get(change.email)
      return { ...change, ...(impact !== undefined && { impact: plannedImpactJson(impact) }) }
    }),
    emails,
    ...(guardrails !== undefined && {
      guardrails: {
        ...guardrails,
        ...(ofGuardrails !== undefined && { impact: plannedImpactJson(ofGuardrails) }),
        ...(failingTests !== undefined && { failingTests: failingTestsJson(failingTests) }),
      },
    }),
  }
}

type ApplyBody<Change> = AskedChanges & { guardrails?: Change | undefined }

/** `POST /v1/workspaces/default:applyPolicies`: all changes of a plan or none, in one transaction. */
export function applyPoliciesRoute<Change>(deps: {
  applyBody: ZodType<ApplyBody<Change>>
  applyChanges: (
    caller: Caller,
    asked: ApplyBody<Change>,
    authorship: Authorship,
  ) => Promise<{ applied: readonly AppliedChange[]; guardrails: SavedGuardrails | undefined }>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workspaces/default:applyPolicies',
    group: 'Workload identities',
    summary: 'Apply a plan: all of its changes or none; refused where anything is not what was planned for.',
    operationId: 'applyPolicies',
    access: 'claimgate.workloadIdentities.update',
    query: { reason: reasonParameter, acknowledge },
    body: { schema: deps.applyBody, limit: BATCH_BODY },
    answer: z.strictObject({
      workloadIdentities: z
        .array(workloadIdentityAnswer)
        .meta({ description: 'What was created or changed.' }),
      deleted: z.array(z.string()).meta({ description: 'The emails of those that were deleted.' }),
      guardrails: savedGuardrailsAnswer.optional().meta({ description: 'Where they were changed.' }),
    }),
    refusals: {
      invalid_argument: CHANGE_PROBLEMS,
      failed_precondition: BLOCKED_FINDINGS,
      permission_denied: { ...ENTRY_PROBLEMS, description: 'Nothing was changed; a permission is missing.' },
      aborted: {
        description: 'Nothing was changed; these are not what the plan was made for.',
        details: z.array(z.strictObject({ stale: z.array(z.string()) })).max(1),
      },
    },
    answerWithinMs: ANSWER_WITHIN_MS,
    async handle({ query, body, note, ...by }) {
      for (const action of new Set(body.changes.map((change) => change.action)))
        checkHolds(by.caller, PERMISSION_FOR[action])
      if (body.guardrails !== undefined) checkHolds(by.caller, 'claimgate.guardrails.update')
      note({ changes: String(body.changes.length) })
      const { applied, guardrails } = await deps.applyChanges(by.caller, body, authorshipOf(by, query))
      const saved = applied.flatMap((change) => change.saved ?? [])
      return {
        body: {
          workloadIdentities: saved.map((each) => workloadIdentityJson(each.identity, each)),
          deleted: applied.filter((change) => change.saved === undefined).map(({ email }) => email),
          ...(guardrails !== undefined && { guardrails: savedGuardrailsJson(guardrails) }),
        },
      }
    },
  })
}

const PERMISSION_FOR = {
  CREATE: 'claimgate.workloadIdentities.create',
  UPDATE: 'claimgate.workloadIdentities.update',
  DELETE: 'claimgate.workloadIdentities.delete',
} as const satisfies Readonly<Record<WantedChange['action'], Permission>>

function checkHolds({ name, permissions }: Caller, permission: Permission): void {
  if (permissions.has(permission)) return
  throw new RequestError(
    'permission_denied',
    `This needs the permission ${permission}, which the roles of ${name} do not give.`,
  )
}
