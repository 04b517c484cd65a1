import { z } from 'zod'
import type { PageScope, PageTokens } from './page-token.ts'

const DEFAULT_PAGE_SIZE = 10
const MAX_PAGE_SIZE = 1000

/** The parameters of every list (AIP-158). A larger size than the maximum is no error: the maximum is given. */
export const pageParameters = {
  pageSize: z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number that is not negative')
    .transform((text) => Math.min(Number(text) || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE))
    .meta({
      description: `How many to answer: ${DEFAULT_PAGE_SIZE} unless given, ${MAX_PAGE_SIZE} at most.`,
      parameter: { type: 'integer', minimum: 0, default: DEFAULT_PAGE_SIZE },
    }),
  pageToken: z
    .string()
    .meta({ description: 'The nextPageToken of the page before, with the same parameters.' }),
}

/** For lists of what is deleted softly. */
export const showDeleted = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .meta({ description: 'Whether deleted ones are listed too.' })

export const nextPageToken = z.string().meta({ description: 'Empty on the last page.' })

export type PageQuery = { readonly pageSize: number | undefined; readonly pageToken: string | undefined }

/**
 * One page of a list that is sorted by what `placeOf` gives, and goes on after it: such pages give each item once,
 * also while items come and go. `list` gives at most so many items after a place.
 */
export async function readPage<Item>(
  tokens: PageTokens,
  scope: PageScope,
  { pageSize = DEFAULT_PAGE_SIZE, pageToken }: PageQuery,
  list: (after: string | undefined, limit: number) => Promise<readonly Item[]>,
  placeOf: (item: Item) => string,
): Promise<{ readonly items: readonly Item[]; readonly nextPageToken: string }> {
  const found = await list(pageToken === undefined ? undefined : tokens.read(scope, pageToken), pageSize + 1)
  const items = found.slice(0, pageSize)
  const last = items.at(-1)
  const isLast = found.length <= pageSize || last === undefined
  return { items, nextPageToken: isLast ? '' : tokens.make(scope, placeOf(last)) }
}
