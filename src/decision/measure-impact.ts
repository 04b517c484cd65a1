import { isDeepStrictEqual } from 'node:util'
import type { Policies } from '../policy/evaluate-batches.ts'
import type { AnyEvaluation } from '../policy/evaluation.ts'
import type { Verdict } from '../policy/verdict.ts'
import type { DecisionFilter, DecisionStore, ReplayableDecision } from './decision-store.ts'
import { isReplayable, type JudgeAgainDeps, judgeAgain, type Replayable } from './judge-again.ts'

/** A decision that would come out differently; `verdict` as it then were, null where the draft gives none. */
export type AffectedDecision = {
  readonly decision: Replayable
  readonly verdict: Verdict | null
  readonly cause: string | null
}

/** `decisions` are the newest of them, not all where there are many. */
export type Affected = { count: number; readonly decisions: AffectedDecision[] }

export type Impact = {
  /** Of the decisions that were looked at. */
  replayed: number
  readonly newlyAllowed: Affected
  readonly newlyDenied: Affected
  /** Allowed by both, with other roles. */
  readonly rolesChanged: Affected
  /** The draft's policy gives no verdict. */
  readonly errors: Affected
  unchanged: number
  /** Those on which no policy spoke, by reason: a policy cannot change them. */
  readonly notReplayed: Map<string, number>
  /** The oldest that was looked at. */
  oldestId: string | undefined
  /** Whether all were looked at that there are. */
  isComplete: boolean
}

export type ImpactQuery = {
  readonly filter: DecisionFilter
  /** The policy that is drafted; undefined: there would be none, which demands nothing. */
  readonly policies: Policies | undefined
  /** What the whole would say: the recorded verdict with the drafted policy's in the place of its own. */
  readonly join: (recorded: Verdict, drafted: Verdict) => Verdict
  /** Ends the work; what was found until then is the answer, unless the caller is gone. */
  readonly signal: AbortSignal
}

export const MAX_DECISIONS = 100_000
/** Of each kind; what counts is how many there are, and what the first of them look like. */
export const MAX_SHOWN = 100
/** Small enough that the thread which serves is never held up by reading them. */
const PAGE = 250

/**
 * What a policy that is not in force would have said of recorded decisions, newest first, beside what was said. At most
 * a hundred thousand, and no longer than the signal lets it.
 */
export async function measureImpact(
  deps: JudgeAgainDeps & { readonly decisions: Pick<DecisionStore, 'listReplayable'> },
  { filter, policies, join, signal }: ImpactQuery,
): Promise<Impact> {
  const impact = noImpact()
  const read = (before?: string) => {
    const rows = deps.decisions.listReplayable({ ...filter, isOfExchanges: true, before, limit: PAGE })
    // Where the work ends before, nobody waits for it.
    rows.catch(() => undefined)
    return rows
  }
  for (let looked = 0, reading = read(); looked < MAX_DECISIONS; ) {
    const rows = await reading
    const last = rows.at(-1)
    if (signal.aborted) return impact
    if (last === undefined) return { ...impact, isComplete: true }
    reading = read(last.id)
    const judged = rows.filter(isReplayable)
    const results = await judgeAll(deps, judged, policies).catch((error: unknown) => {
      if (signal.aborted) return undefined
      throw error
    })
    if (results === undefined) return impact
    for (const [index, decision] of judged.entries()) add(impact, decision, results[index], join)
    for (const row of rows) if (!isReplayable(row)) addUnjudged(impact, row)
    impact.oldestId = last.id
    looked += rows.length
    if ((await reading).length === 0) return { ...impact, isComplete: true }
  }
  return impact
}

async function judgeAll(
  deps: JudgeAgainDeps,
  decisions: readonly Replayable[],
  policies: Policies | undefined,
): Promise<readonly AnyEvaluation[]> {
  return policies === undefined
    ? decisions.map(() => NOTHING_DEMANDED)
    : judgeAgain(deps, decisions, () => policies)
}

const NOTHING_DEMANDED: AnyEvaluation = {
  ok: true,
  allow: true,
  denial: undefined,
  groupMet: false,
  roles: [],
  ruleIds: [],
  verdictText: '{"allow":true,"rules":[],"conditions":[],"guardrails":[],"roles":[]}',
}

/** Of no decision at all: nothing was looked at. */
export function noImpact(): Impact {
  const none = (): Affected => ({ count: 0, decisions: [] })
  return {
    replayed: 0,
    newlyAllowed: none(),
    newlyDenied: none(),
    rolesChanged: none(),
    errors: none(),
    unchanged: 0,
    notReplayed: new Map(),
    oldestId: undefined,
    isComplete: false,
  }
}

function add(
  impact: Impact,
  decision: Replayable,
  result: AnyEvaluation | undefined,
  join: ImpactQuery['join'],
): void {
  impact.replayed++
  const { kind, verdict } = compare(decision, result, join)
  if (kind === 'unchanged') {
    impact.unchanged++
    return
  }
  const affected = impact[kind]
  affected.count++
  if (affected.decisions.length === MAX_SHOWN) return
  affected.decisions.push({ decision, verdict, cause: result?.ok ? null : (result?.reason ?? null) })
}

type Comparison = {
  readonly kind: 'newlyAllowed' | 'newlyDenied' | 'rolesChanged' | 'errors' | 'unchanged'
  readonly verdict: Verdict | null
}

function compare(
  { verdict: recorded }: Replayable,
  result: AnyEvaluation | undefined,
  join: ImpactQuery['join'],
): Comparison {
  if (!result?.ok) return { kind: 'errors', verdict: null }
  if (result.verdictText === recorded) return { kind: 'unchanged', verdict: null }
  const before: Verdict = JSON.parse(recorded)
  const verdict = join(before, JSON.parse(result.verdictText))
  if (verdict.allow !== before.allow) return { kind: verdict.allow ? 'newlyAllowed' : 'newlyDenied', verdict }
  return { kind: isDeepStrictEqual(verdict.roles, before.roles) ? 'unchanged' : 'rolesChanged', verdict }
}

function addUnjudged({ notReplayed }: Impact, { reason }: ReplayableDecision): void {
  notReplayed.set(reason, (notReplayed.get(reason) ?? 0) + 1)
}
