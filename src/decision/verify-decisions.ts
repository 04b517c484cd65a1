import type { Policies } from '../policy/evaluate-batches.ts'
import type { AnyEvaluation } from '../policy/evaluation.ts'
import { firstIdAt, timeOfId } from './decision-id.ts'
import type { DecisionFilter, DecisionRange, DecisionStore, ReplayableDecision } from './decision-store.ts'
import { isReplayable, type JudgeAgainDeps, judgeAgain, type Replayable } from './judge-again.ts'

/** What does not come out as it was recorded. Verdicts as JSON text; `replayed` null where there is none. */
export type Difference = {
  readonly decision: ReplayableDecision
  readonly replayed: string | null
  readonly message: string
}

/** How far it is, after each stretch of decisions that are verified whole. */
export type VerifyProgress = {
  readonly verified: number
  /** Decisions on which no policy spoke: there is nothing to ask again. Not those that lost what it said. */
  readonly withoutVerdict: number
  readonly differences: readonly Difference[]
  /** The last of the stretch: what comes after it is left to do. */
  readonly lastId: string
  /** From 0 to 1. */
  readonly share: number
}

export type VerifyDeps = JudgeAgainDeps & {
  readonly decisions: Pick<DecisionStore, 'listReplayable' | 'sampleReplayable' | 'hasAtMost' | 'findRange'>
}

export type VerifyQuery = DecisionFilter & {
  /** Only decisions after this id. */
  readonly after?: string | undefined
  /** At most so many, spread evenly over the time; undefined: all. */
  readonly sample?: number | undefined
}

const PAGE = 1_000
const SAMPLE_PAGE = 250
/**
 * What is grouped by policy together. With a thousand policies in turn each is loaded once for twenty decisions, which
 * takes as long as those: some 50 MB, and as much again that is read meanwhile.
 */
const STRETCH = 20_000
const STRETCH_CHARACTERS = 64_000_000
/** Of so many for each of its policies no longer stretch makes more: it would only be kept in memory longer. */
const ENOUGH_OF_A_POLICY = 2_000

/**
 * Has recorded decisions judged again by the policies of their digests, oldest first. Ends with the newest that there
 * is when it begins.
 */
export async function* verifyDecisions(deps: VerifyDeps, query: VerifyQuery): AsyncGenerator<VerifyProgress> {
  const range = await deps.decisions.findRange(query)
  if (range === undefined) return
  const isAll = query.sample === undefined || (await deps.decisions.hasAtMost(query.sample, query))
  const pages = isAll ? readAll(deps, query, range) : readSample(deps, query, range)
  let verifying: Promise<VerifyProgress> | undefined
  for await (const stretch of gather(pages)) {
    const before = verifying
    verifying = verifyStretch(deps, stretch, range)
    // A fault of it is met when it is waited for.
    verifying.catch(() => undefined)
    if (before !== undefined) yield await before
  }
  if (verifying !== undefined) yield await verifying
}

async function verifyStretch(
  deps: VerifyDeps,
  stretch: readonly ReplayableDecision[],
  range: DecisionRange,
): Promise<VerifyProgress> {
  const judged = stretch.filter(isReplayable)
  const robbed = stretch.filter((decision) => !isReplayable(decision) && hadVerdict(decision))
  const results = await judgeAgain(deps, judged, policiesOf)
  const lastId = stretch.at(-1)?.id ?? range.last
  return {
    verified: judged.length + robbed.length,
    withoutVerdict: stretch.length - judged.length - robbed.length,
    differences: [
      ...robbed.map((decision) => ({ decision, replayed: null, message: LOST })),
      ...judged.flatMap((decision, index) => differenceOf(decision, results[index]) ?? []),
    ],
    lastId,
    share: shareOf(range, lastId),
  }
}

function policiesOf({ kind, policy_digest, guardrails_digest }: Replayable): Policies {
  const digest = policy_digest ?? ''
  if (kind === 'ACCESS') return { digest, guardrailsDigest: undefined, isAccess: true }
  return { digest, guardrailsDigest: guardrails_digest ?? undefined }
}

async function* gather(
  pages: AsyncGenerator<readonly ReplayableDecision[]>,
): AsyncGenerator<readonly ReplayableDecision[]> {
  let stretch: ReplayableDecision[] = []
  let characters = 0
  const policies = new Set<string | null>()
  for await (const page of pages) {
    stretch.push(...page)
    for (const { claims, verdict, policy_digest } of page) {
      characters += (claims?.length ?? 0) + (verdict?.length ?? 0)
      policies.add(policy_digest)
    }
    const enough = Math.min(STRETCH, ENOUGH_OF_A_POLICY * policies.size)
    if (stretch.length < enough && characters < STRETCH_CHARACTERS) continue
    yield stretch
    stretch = []
    characters = 0
    policies.clear()
  }
  if (stretch.length > 0) yield stretch
}

async function* readAll(
  { decisions }: VerifyDeps,
  query: VerifyQuery,
  range: DecisionRange,
): AsyncGenerator<readonly ReplayableDecision[]> {
  for (let after = query.after; ; ) {
    const rows = await decisions.listReplayable({ ...query, after, oldestFirst: true, limit: PAGE })
    const wanted = rows.filter(({ id }) => id <= range.last)
    if (wanted.length > 0) yield wanted
    after = rows.at(-1)?.id
    if (after === undefined || rows.length < PAGE || after >= range.last) return
  }
}

/**
 * As many parts of the time as decisions are wanted, and in each the first one after a moment taken at random. Where
 * many were made at once parts have the same one: then others of the page's time, and what it lacks the next page takes
 * more.
 */
async function* readSample(
  { decisions }: VerifyDeps,
  query: VerifyQuery,
  range: DecisionRange,
): AsyncGenerator<readonly ReplayableDecision[]> {
  const { sample = 0, after = '' } = query
  const [from, until] = [timeOfId(range.first), timeOfId(range.last) + 1]
  const idAt = (part: number) => firstIdAt(Math.floor(from + (part / sample) * (until - from)))
  let lastId = after
  let wanted = 0
  for (let part = 0; part < sample; part += SAMPLE_PAGE) {
    const parts = Math.min(SAMPLE_PAGE, sample - part)
    wanted += parts
    const [start, end] = [idAt(part), idAt(part + parts)]
    const found = new Map<string, ReplayableDecision>()
    const take = (rows: readonly ReplayableDecision[]) => {
      for (const row of rows) {
        if (found.size < wanted && isReplayable(row) && row.id > lastId && row.id < end)
          found.set(row.id, row)
      }
    }
    const moments = Array.from({ length: wanted }, (_, n) =>
      idAt(part + ((n + Math.random()) / wanted) * parts),
    )
    take(await decisions.sampleReplayable(query, moments))
    if (found.size < wanted) {
      const others = { ...query, after: [lastId, start].sort().at(-1), oldestFirst: true, limit: wanted }
      take(await decisions.listReplayable(others))
    }
    wanted -= found.size
    const page = [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    lastId = page.at(-1)?.id ?? lastId
    if (page.length > 0) yield page
  }
}

function shareOf({ first, last }: DecisionRange, id: string): number {
  return (timeOfId(id) - timeOfId(first)) / (timeOfId(last) - timeOfId(first) || 1)
}

function differenceOf(decision: Replayable, result: AnyEvaluation | undefined): Difference | undefined {
  if (result === undefined || !result.ok) {
    const who = result?.isOfGuardrails ? 'its guardrails give' : 'its policy gives'
    return { decision, replayed: null, message: `${who} no verdict: ${result?.cause ?? ''}` }
  }
  const { verdictText: replayed, allow } = result
  if (replayed !== decision.verdict) {
    const recorded = allows(decision.verdict)
    const message =
      recorded === allow
        ? 'its policy explains it in other words'
        : `its policy ${allow ? 'allows' : 'denies'} it, the recorded verdict does not`
    return { decision, replayed, message }
  }
  if (decision.outcome === 'ALLOWED' && !allow) {
    return { decision, replayed, message: 'its policy denies it, and it was allowed' }
  }
  const { denial = 'allowed' } = result
  // Whether a token was used before is asked of those alone that the policy allows.
  const expected = decision.reason === 'token_replayed' ? 'allowed' : decision.reason
  if (BESIDE_THE_POLICY.has(decision.reason) || expected === denial) return undefined
  return { decision, replayed, message: `its policy says ${denial}, and ${decision.reason} was recorded` }
}

/** Reasons to refuse before a policy is asked why it does not allow. */
const BESIDE_THE_POLICY: ReadonlySet<string> = new Set([
  'token_audience',
  'audience_not_allowed',
  'resource_unknown',
])

/** A row that stands for many attempts names no policy. */
function hadVerdict({ policy_digest, reason }: ReplayableDecision): boolean {
  return policy_digest !== null && SPOKEN_ON.has(reason)
}

/** Reasons that there are only where a policy gave a verdict. */
const SPOKEN_ON: ReadonlySet<string> = new Set([
  'condition_not_met',
  'denied_by_conditions',
  'denied_by_guardrails',
  'token_replayed',
  'rule_not_met',
  'role_missing',
  'permission_unknown',
  'allowed',
])

const LOST = 'what its policy said is missing, or what it was asked with'

function allows(verdict: string): boolean {
  try {
    return JSON.parse(verdict).allow === true
  } catch {
    return false
  }
}
