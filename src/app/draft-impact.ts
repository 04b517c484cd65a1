import { randomUUID } from 'node:crypto'
import { checkBase } from '../db/check-draft.ts'
import type { Impact, ImpactQuery } from '../decision/measure-impact.ts'
import { RequestError } from '../errors.ts'
import type { MeasuredImpact } from '../http/impact-json.ts'
import { createDraftStore, type Draft } from '../policy/draft-store.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import { createImpactThread } from './impact-thread.ts'
import type { Parts } from './parts.ts'

/** A draft, and which decisions of the last days it is held against, and how. */
export type ImpactQuestion = Pick<ImpactQuery, 'policies' | 'join'> & {
  readonly subject: string
  readonly draft: Draft
  readonly days: number
  /** That of all identities where it is undefined. */
  readonly identity: string | undefined
  /** What the numbers do not tell. */
  readonly notices: readonly string[]
}

export type MeasureDraft = (question: ImpactQuestion, caller: AbortSignal) => Promise<MeasuredImpact>

/** Of a day in milliseconds. */
export const DAY_MS = 86_400_000
const MEASURE_WITHIN_MS = 45_000

/**
 * Measures what drafts would do, one at a time, in a thread that gives way to all others and ends with the work: an
 * exchange must not wait for it.
 */
export function createDraftImpact(parts: Parts): MeasureDraft {
  const drafts = createDraftStore(parts.db)
  const oneAtATime = limitConcurrency(1, 1, 'The impact of another draft is being worked out: ask again.')
  return async (question, caller) => {
    const { subject, draft, notices } = question
    checkBase(draft)
    const since = new Date(parts.clock() - question.days * DAY_MS)
    const impact = await oneAtATime(() => measure(parts, question, since, caller))
    const id = randomUUID()
    if (!(await drafts.setImpact(subject, draft.revision, id))) {
      throw new RequestError('aborted', 'The draft was changed meanwhile: look at its impact again.')
    }
    return { ...impact, id, since, notices }
  }
}

async function measure(
  parts: Parts,
  { policies, join, identity }: ImpactQuestion,
  since: Date,
  caller: AbortSignal,
): Promise<Impact> {
  const thread = createImpactThread(parts)
  const signal = AbortSignal.any([caller, AbortSignal.timeout(MEASURE_WITHIN_MS)])
  try {
    const impact = await thread.measure({
      filter: { identity, since: since.getTime() },
      policies,
      join,
      signal,
    })
    // Nobody has seen it, so nothing may be activated on it.
    if (caller.aborted) throw new RequestError('unavailable', 'The caller is gone.')
    return impact
  } finally {
    await thread.stop()
  }
}
