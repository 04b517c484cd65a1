import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { FilterTerm } from '../fields/parse-filter.ts'

/**
 * A filter as a condition: text compared to the letter, nothing in it is a wildcard. `columns` says what each of its
 * fields is in the database; throws for a field that has none.
 */
export function whereFilter(
  terms: readonly FilterTerm[],
  columns: Readonly<Record<string, RawBuilder<string>>>,
): Expression<SqlBool> {
  const conditions = terms.map(({ field, operator, value }) => {
    const column = columns[field]
    if (column === undefined) throw new Error(`There is no column for the filter's field ${field}.`)
    return operator === '==' ? sql`${column} = ${value}` : sql`strpos(${column}, ${value}) > 0`
  })
  return conditions.length === 0 ? sql<SqlBool>`true` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`
}
