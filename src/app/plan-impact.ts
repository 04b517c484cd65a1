import { timeOfId } from '../decision/decision-id.ts'
import { type Affected, type Impact, type ImpactQuery, noImpact } from '../decision/measure-impact.ts'
import type { GuardrailsPlan } from '../guardrails/guardrails-changes.ts'
import type { PlannedAffected, PlannedImpact } from '../http/planned-impact-json.ts'
import type { IdentitiesPlan, PlannedChange } from '../identity/plan-identities.ts'
import { joinVerdicts } from '../policy/check-verdict.ts'
import type { StoredPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { Verdict } from '../policy/verdict.ts'
import { explainVerdict } from '../policy-test/explain-verdict.ts'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'
import { DAY_MS } from './draft-impact.ts'
import { besideRecordedPolicy } from './guardrails-draft-impact.ts'
import { besideRecordedGuardrails, beyondThePolicy } from './identity-draft-impact.ts'
import { createImpactThread, type ImpactThread } from './impact-thread.ts'
import type { Parts } from './parts.ts'
import type { SearchFailingTests } from './search-failing-tests.ts'

/** What is planned, and of how many days the decisions are looked at: 0 for none. */
export type PlanToMeasure = {
  readonly plan: IdentitiesPlan
  /** Undefined where they stay as they are. */
  readonly guardrails: GuardrailsPlan | undefined
  /** Whether to tell what the guardrails would do beyond these identities. */
  readonly withGuardrails: boolean
  readonly days: number
  readonly caller: AbortSignal
}

export type MeasuredPlan = {
  /** By email, of the changes that decide who is let in; of what is created there is none. */
  readonly impacts: ReadonlyMap<string, PlannedImpact>
  /** Of the guardrails alone, over all identities as they are. */
  readonly ofGuardrails: PlannedImpact | undefined
  /** Those of the identities that this plan leaves alone. */
  readonly failingTests: FailingTests | undefined
}

/** What of one change, and how it is told. */
type Question = Pick<ImpactQuery, 'policies' | 'join'> & {
  readonly identity: string | undefined
  readonly notices: readonly string[]
  readonly explain: (verdict: Verdict) => string
}

/** A plan of fifty changes is asked for at a time, and one of a hundred is to take less than 15 s in all. */
export const PLAN_BUDGETS = { identitiesMs: 2_500, guardrailsMs: 2_500, leastEachMs: 500 }
/** The others are counted; each decision can be looked up. */
const MAX_SHOWN = 3
const MAX_EXPLANATION = 500

/** Measures what a plan would do, within a time: identities share theirs, and each says how far it came. */
export async function measurePlan(
  parts: Pick<Parts, 'policies' | 'decisions' | 'log' | 'clock'>,
  searchFailingTests: SearchFailingTests,
  { plan, guardrails, withGuardrails, days, caller }: PlanToMeasure,
  budgets: typeof PLAN_BUDGETS = PLAN_BUDGETS,
): Promise<MeasuredPlan> {
  const planned = plannedPolicies([...plan.policies.values(), guardrails?.policy])
  const thread = createImpactThread(parts, planned)
  const since = new Date(parts.clock() - days * DAY_MS)
  const measure = async (question: Question, withinMs: number) =>
    told(question, since, await ask(thread, question, since, withinMs, caller))
  try {
    const impacts = new Map<string, PlannedImpact>()
    const questions = days === 0 ? [] : plan.changes.flatMap((change) => questionOf(change, plan, guardrails))
    const until = performance.now() + budgets.identitiesMs
    for (const [index, question] of questions.entries()) {
      const leftMs = until - performance.now()
      const shareMs = Math.max(leftMs / (questions.length - index), Math.min(leftMs, budgets.leastEachMs))
      impacts.set(question.identity ?? '', await measure(question, shareMs))
    }
    if (guardrails === undefined || !withGuardrails) {
      return { impacts, ofGuardrails: undefined, failingTests: undefined }
    }
    const changed = new Set(plan.changes.map(({ email }) => email))
    return {
      impacts,
      ofGuardrails:
        days === 0 ? undefined : await measure(questionOfGuardrails(guardrails), budgets.guardrailsMs),
      failingTests: await searchFailingTests(
        { before: guardrails.currentDigest, after: guardrails.policy?.digest ?? null },
        { thread, caller, isLeftOut: (email) => changed.has(email) },
      ),
    }
  } finally {
    await thread.stop()
  }
}

/** What is not stored yet has its WASM with it. */
function plannedPolicies(
  prepared: readonly (PreparedPolicy | undefined)[],
): ReadonlyMap<string, StoredPolicy> {
  return new Map(prepared.flatMap((each) => (each?.policy === undefined ? [] : [[each.digest, each.policy]])))
}

async function ask(
  thread: ImpactThread,
  { policies, join, identity }: Question,
  since: Date,
  withinMs: number,
  caller: AbortSignal,
): Promise<Impact> {
  if (withinMs < 1) return noImpact()
  const signal = AbortSignal.any([caller, AbortSignal.timeout(Math.floor(withinMs))])
  return thread.measure({ filter: { identity, since: since.getTime() }, policies, join, signal })
}

/** None where no policy has anything to say of the change. */
function questionOf(
  change: PlannedChange,
  { policies, closed }: IdentitiesPlan,
  guardrails: GuardrailsPlan | undefined,
): readonly Question[] {
  const { email: identity, before, after } = change
  if (closed.includes(identity)) {
    const explain = () => 'nobody would be let in'
    return [{ identity, policies: undefined, join: closedToAll, notices: [], explain }]
  }
  const policy = policies.get(identity)
  if (policy === undefined || before === undefined || after?.state !== 'ACTIVE') return []
  const beside = guardrails === undefined ? undefined : guardrails.policy?.digest
  return [
    {
      identity,
      policies: { digest: policy.digest, guardrailsDigest: beside },
      // Where the guardrails change too, both are asked together.
      join: guardrails === undefined ? besideRecordedGuardrails : (_, drafted) => drafted,
      notices: beyondThePolicy(before, after),
      explain: explainVerdict,
    },
  ]
}

function closedToAll(recorded: Verdict): Verdict {
  return joinVerdicts(recorded, { allow: false, guardrails: recorded.guardrails })
}

function questionOfGuardrails({ policy }: GuardrailsPlan): Question {
  return {
    identity: undefined,
    policies: policy && { digest: undefined, guardrailsDigest: policy.digest },
    join: besideRecordedPolicy,
    notices: [],
    explain: explainVerdict,
  }
}

function told({ notices, explain }: Question, since: Date, impact: Impact): PlannedImpact {
  const { replayed, unchanged, oldestId, isComplete, notReplayed } = impact
  const affected = ({ count, decisions }: Affected, why = explain): PlannedAffected => ({
    count,
    decisions: decisions.slice(0, MAX_SHOWN).map(({ decision, verdict, cause }) => ({
      decision,
      explanation: (verdict === null ? (cause ?? '') : why(verdict)).slice(0, MAX_EXPLANATION),
    })),
  })
  return {
    since,
    replayed,
    unchanged,
    oldestId,
    oldestTime: oldestId === undefined ? undefined : new Date(timeOfId(oldestId)),
    isComplete,
    notReplayed,
    notices,
    newlyAllowed: affected(impact.newlyAllowed),
    newlyDenied: affected(impact.newlyDenied),
    rolesChanged: affected(impact.rolesChanged, rolesText),
    errors: affected(impact.errors),
  }
}

function rolesText({ roles }: Verdict): string {
  return roles.length === 0 ? 'without roles' : `with ${roles.join(', ')}`
}
