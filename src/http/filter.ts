import { z } from 'zod'
import { type FilterFields, parseFilter } from '../fields/parse-filter.ts'

/** The parameter by which a list is narrowed (AIP-160): comparisons in CEL, joined by `&&`. */
export function filterParameter(fields: FilterFields) {
  const [text = 'title'] = Object.keys(fields)
  return z
    .string()
    .transform((filter, context) => {
      const parsed = parseFilter(filter, fields)
      if (parsed.ok) return parsed.terms
      context.addIssue({ code: 'custom', message: parsed.message })
      return z.NEVER
    })
    .meta({
      description: `Comparisons of ${Object.keys(fields).join(', ')} joined by &&, for example ${text} == "x" && ${text}.contains("y").`,
    })
}
