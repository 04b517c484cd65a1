import { RequestError } from '../errors.ts'

/** What of a draft tells whether it may be made so; versions are null where its subject had none. */
type Drafted = {
  readonly baseNumber: number | null
  readonly newestNumber: number | null
  readonly impactId: string | null
}

/** Throws `aborted` where the subject was saved since the draft was made: it would take that back unseen. */
export function checkBase({ baseNumber, newestNumber }: Drafted): void {
  if (baseNumber === newestNumber) return
  const base = baseNumber === null ? 'before there was a version' : `on version ${baseNumber}`
  throw new RequestError(
    'aborted',
    `The draft was made ${base}, and version ${newestNumber} is the newest: draft the change anew on that.`,
  )
}

/**
 * Throws unless a draft may be made so by who has seen the impact of this id: its base is the newest version, and it is
 * the draft's last impact. `path`: where that is asked for.
 */
export function checkActivation(draft: Drafted, impactId: string, path: string): void {
  checkBase(draft)
  if (draft.impactId === null) {
    throw new RequestError(
      'failed_precondition',
      `The impact of this draft was not looked at yet: POST ${path}.`,
    )
  }
  if (draft.impactId !== impactId) {
    throw new RequestError('aborted', 'The impact is not the last one of this draft: look at it again.')
  }
}
