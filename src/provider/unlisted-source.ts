import type { Sources } from './provider.ts'

/** Whether no rule may list a way to start a pipeline: it is refused, or one of merge requests, known or not. */
export function isUnlisted({ mergeRequest, refused }: Sources, source: string): boolean {
  return Object.hasOwn(refused, source) || source.startsWith(mergeRequest)
}

/** Why it is never admitted, in words that follow its name; undefined where merge requests may be. */
export function refusalOf({ mergeRequest, refused }: Sources, source: string): string | undefined {
  if (Object.hasOwn(refused, source)) return refused[source]
  return source.startsWith(mergeRequest) ? refused[mergeRequest] : undefined
}
