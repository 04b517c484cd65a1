import type { BatchEvaluator, Policies } from '../policy/evaluate-batches.ts'
import type { AnyEvaluation } from '../policy/evaluation.ts'
import { policyInput } from '../provider/policy-input.ts'
import type { ProviderType } from '../provider/providers.ts'
import type { ReplayableDecision } from './decision-store.ts'

export type JudgeAgainDeps = {
  readonly evaluate: BatchEvaluator['evaluate']
  /** Whose tokens a policy judges; undefined where there is no such policy. */
  readonly findProvider: (digest: string) => Promise<ProviderType | undefined>
}

/** A decision that has all that a policy was asked with. */
export type Replayable = ReplayableDecision & { readonly claims: string; readonly verdict: string }

/** Whether a policy spoke on it, so that one can be asked again. */
export function isReplayable(decision: ReplayableDecision): decision is Replayable {
  return decision.verdict !== null && decision.claims !== null
}

/**
 * Asks, for each of some decisions, the policies that `policiesOf` names on what was recorded: their answers in their
 * order. Decisions of the same policies are asked together, wherever they stand.
 */
export async function judgeAgain(
  deps: JudgeAgainDeps,
  decisions: readonly Replayable[],
  policiesOf: (decision: Replayable) => Policies,
): Promise<readonly AnyEvaluation[]> {
  const results: AnyEvaluation[] = []
  // By provider too, which follows from the policy that a decision was made with.
  const keyOf = (decision: Replayable) => {
    const { digest, guardrailsDigest, isAccess } = policiesOf(decision)
    return [digest, guardrailsDigest, digest ?? decision.policy_digest, isAccess].join(' ')
  }
  const groups = [...Map.groupBy(decisions.keys(), (place) => keyOf(at(decisions, place))).values()]
  const judgeGroups = async () => {
    for (let places = groups.pop(); places !== undefined; places = groups.pop()) {
      const group = places.map((place) => at(decisions, place))
      const answers = await judgeGroup(deps, policiesOf(at(group, 0)), group)
      for (const [index, place] of places.entries()) results[place] = at(answers, index)
    }
  }
  await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, judgeGroups))
  return results
}

/** Enough for every thread to have one more when it is done, and no more connections than there are. */
const GROUPS_AT_ONCE = 8

async function judgeGroup(
  deps: JudgeAgainDeps,
  policies: Policies,
  decisions: readonly Replayable[],
): Promise<readonly AnyEvaluation[]> {
  // Of an access decision the whole input is recorded.
  if (policies.isAccess)
    return deps.evaluate(
      policies,
      decisions.map(({ claims }) => claims),
    )
  const provider = await deps.findProvider(policies.digest ?? decisions[0]?.policy_digest ?? '')
  if (provider === undefined) return decisions.map(() => NO_POLICY)
  return deps.evaluate(
    policies,
    decisions.map((decision) => inputOf(decision, provider)),
  )
}

const NO_POLICY: AnyEvaluation = { ok: false, reason: 'policy_error', cause: 'There is no such policy.' }

function inputOf(decision: Replayable, provider: ProviderType): string {
  const { claims, decide_time, identity, project } = decision
  return policyInput(claims, decide_time.getTime(), identity ?? '', project ?? '', provider)
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index]
  if (item === undefined) throw new Error(`There is no answer ${index}.`)
  return item
}
