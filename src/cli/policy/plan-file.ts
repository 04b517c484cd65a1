import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { fieldPath } from '../../fields/field-path.ts'
import { readFields } from '../../fields/read-fields.ts'
import { decodeUtf8, type JsonValue, parseJsonStrictly } from '../../json.ts'

const content = z.record(z.string(), z.unknown())

const affected = z.looseObject({
  count: z.int(),
  decisions: z.array(
    z.looseObject({
      decision: z.string(),
      identity: z.string().nullable(),
      subject: z.string().nullable(),
      decideTime: z.string(),
      explanation: z.string(),
    }),
  ),
})

const impact = z.looseObject({
  since: z.string(),
  isComplete: z.boolean(),
  oldestDecideTime: z.string().nullable(),
  replayed: z.int(),
  newlyAllowed: affected,
  newlyDenied: affected,
  rolesChanged: affected,
  errors: affected,
  notices: z.array(z.string()),
})

const failingTests = z.looseObject({
  looked: z.int(),
  isComplete: z.boolean(),
  count: z.int(),
  identities: z.array(
    z.looseObject({
      email: z.string(),
      tests: z.array(z.looseObject({ title: z.string(), message: z.string() })),
    }),
  ),
})

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
      isBlocking: z.boolean(),
    }),
  ),
  impact: impact.optional(),
})

const guardrails = z.strictObject({
  source: z.string(),
  tests: z.array(z.looseObject({ title: z.string() })),
})
const guardrailsChange = z.strictObject({
  etag: z.string(),
  before: guardrails,
  after: guardrails,
  impact: impact.optional(),
  failingTests: failingTests.optional(),
})

/** What the service answers to a plan. */
export const planAnswer = z.object({
  changes: z.array(change),
  emails: z.array(z.string()),
  guardrails: guardrailsChange.optional(),
})

/** A plan as a file: for which service it was made, and what is to be changed there. It holds no secret. */
const planFile = z.strictObject({
  version: z.literal(1),
  url: z.string(),
  changes: z.array(change),
  guardrails: guardrailsChange.optional(),
})

export type Change = z.infer<typeof change>
export type GuardrailsChange = z.infer<typeof guardrailsChange>
export type PlannedImpact = z.infer<typeof impact>
export type FailingTests = z.infer<typeof failingTests>

/** `guardrails`: absent where they stay as they are. */
export type Changes = {
  readonly changes: readonly Change[]
  readonly guardrails?: GuardrailsChange | undefined
}
export type Plan = Changes & { readonly url: string }

export function writtenPlan({ url, changes, guardrails }: Plan): string {
  // An explanation that was cut may end in half a surrogate pair, which is not read again.
  const wellFormed = (_name: string, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value
  return `${JSON.stringify({ version: 1, url, changes, guardrails }, wellFormed, 2)}\n`
}

/** Throws a sentence where the file is no plan. */
export function readPlan(file: string): Plan {
  const read = readFields(planFile, readStrictJson(file))
  if (read.ok) return read.value
  throw new Error(`${file} is no plan: ${fieldPath(read.problem.path) || 'it'} ${read.problem.message}.`)
}

/** Deeper than the body of a request may be, whose identities it holds. */
const LIMITS = { maxDepth: 64, maxMembers: Number.POSITIVE_INFINITY }

/** What is reviewed is what is applied: of a member that stands twice another reader would see the first. */
function readStrictJson(file: string): JsonValue {
  const text = decodeUtf8(readFileSync(file))
  if (text === undefined) throw new Error(`${file} is no plan: it is not UTF-8.`)
  if (text.trim() === '') throw new Error(`${file} is no plan: it is empty.`)
  if (text.startsWith('\uFEFF')) throw new Error(`${file} is no plan: it begins with a byte order mark.`)
  const parsed = parseJsonStrictly(text, LIMITS)
  if (!parsed.ok) throw new Error(`${file} is no plan: it ${parsed.problem}.`)
  return parsed.value
}
