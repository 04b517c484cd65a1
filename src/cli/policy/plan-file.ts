import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { fieldPath } from '../../fields/field-path.ts'
import { readFields } from '../../fields/read-fields.ts'

const content = z.record(z.string(), z.unknown())

const change = z.strictObject({
  action: z.enum(['CREATE', 'UPDATE', 'DELETE']),
  email: z.string(),
  etag: z.string().optional(),
  before: content.optional(),
  after: content.optional(),
  notices: z.array(z.string()),
  findings: z.array(
    z.strictObject({
      code: z.string(),
      grade: z.enum(['CRITICAL', 'WARNING', 'NOTE']),
      rule: z.string().optional(),
      message: z.string(),
      change: z.string(),
      isNew: z.boolean(),
    }),
  ),
})

/** What the service answers to a plan. */
export const planAnswer = z.object({ changes: z.array(change), emails: z.array(z.string()) })

/** A plan as a file: for which service it was made, and what is to be changed there. It holds no secret. */
const planFile = z.strictObject({ version: z.literal(1), url: z.string(), changes: z.array(change) })

export type Change = z.infer<typeof change>
export type Plan = { readonly url: string; readonly changes: readonly Change[] }

export function writtenPlan({ url, changes }: Plan): string {
  return `${JSON.stringify({ version: 1, url, changes }, null, 2)}\n`
}

/** Throws a sentence where the file is no plan. */
export function readPlan(file: string): Plan {
  const read = readFields(planFile, JSON.parse(readFileSync(file, 'utf8')))
  if (read.ok) return read.value
  throw new Error(`${file} is no plan: ${fieldPath(read.problem.path)} ${read.problem.message}.`)
}
