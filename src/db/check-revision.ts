import { RequestError } from '../errors.ts'

/**
 * Throws `aborted` unless a resource's revision, which is its etag, is one of those that a change was made for
 * (If-Match); undefined: any will do. Called while the row is locked.
 */
export function checkRevision(wanted: readonly string[] | undefined, revision: string): void {
  if (wanted === undefined || wanted.includes(revision)) return
  throw new RequestError(
    'aborted',
    'The resource was changed meanwhile, so its etag is another: read it again and make the change on that.',
  )
}
