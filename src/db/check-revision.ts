import { RequestError } from '../errors.ts'

/** The etags of which a resource must have one for a change to be meant for it (If-Match); undefined: any will do. */
export type IfMatch = readonly string[] | undefined

/**
 * Throws `aborted` unless a resource's revision, which is its etag, is the one that a change was made for: one of
 * `ifMatch`, and that of a body that gives back what was read (empty: it says nothing). Called while the row is locked.
 */
export function checkRevision(revision: string, ifMatch: IfMatch, bodyEtag = ''): void {
  const isWanted = ifMatch === undefined || ifMatch.includes(revision)
  if (isWanted && (bodyEtag === '' || bodyEtag === revision)) return
  throw new RequestError(
    'aborted',
    'The resource was changed meanwhile, so its etag is another: read it again and make the change on that.',
  )
}
