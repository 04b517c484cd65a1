import { z } from 'zod'
import type { AccessQuestion, NoQuestion, Semantic } from '../access-evaluation/access-question.ts'
import { fieldPath } from '../fields/field-path.ts'
import { readFields } from '../fields/read-fields.ts'
import { isJsonObject } from '../json.ts'

/** Longer than any name of ours; a token is bounded by the body. */
const MAX_LENGTH = 255
/** Each is decided and recorded by itself. */
const MAX_EVALUATIONS = 100

const name = z.string().max(MAX_LENGTH)
const properties = z.looseObject({}).optional().meta({ description: 'Not looked at.' })

const subject = z
  .looseObject({
    type: name.meta({ description: '`token`, or `workload`.' }),
    id: z.string().meta({ description: 'An access token of ours; or the email of a workload identity.' }),
    properties,
  })
  .meta({ description: 'A workload has its plain memberships alone, and no roles of rules.' })

const action = z.looseObject({ name: name.meta({ description: 'A permission.' }), properties })

const resource = z.looseObject({
  type: name.meta({ description: '`project`, or `workspace`.' }),
  id: name.meta({ description: "The project's id; or `default`." }),
  properties,
})

const context = z.looseObject({}).optional().meta({ description: 'Not looked at.' })

/** AuthZEN, Authorization API 1.0, section 6.1. Unknown fields are ignored, as it demands (section 10.1.1). */
export const evaluationRequest = z.looseObject({ subject, action, resource, context })

/** Section 7.1: `evaluations`, for each of which the rest is the default; without any, an evaluation. */
export const evaluationsRequest = z.looseObject({
  subject: subject.partial().optional(),
  action: action.partial().optional(),
  resource: resource.partial().optional(),
  context,
  options: z
    .looseObject({
      evaluations_semantic: z
        .enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'])
        .optional()
        .meta({ description: '`execute_all` where it is absent.' }),
    })
    .optional(),
  evaluations: z.array(z.unknown()).max(MAX_EVALUATIONS).optional().meta({
    description: 'Each as an evaluation; what one lacks is that of the request.',
  }),
})

export type EvaluationRequest = z.infer<typeof evaluationRequest>
export type EvaluationsRequest = z.infer<typeof evaluationsRequest>

/** Undefined where there are no evaluations: then the request is one. */
export type Evaluations = {
  readonly questions: readonly (AccessQuestion | NoQuestion)[]
  readonly semantic: Semantic
}

/** What is asked by several evaluations; what is wrong with one of them alone is its own matter (section 7.2.1). */
export function readEvaluations(body: EvaluationsRequest): Evaluations | undefined {
  const { evaluations = [], options } = body
  if (evaluations.length === 0) return undefined
  return {
    questions: evaluations.map((evaluation, index) => readEvaluation(body, evaluation, index)),
    semantic: options?.evaluations_semantic ?? 'execute_all',
  }
}

function readEvaluation(
  body: EvaluationsRequest,
  evaluation: unknown,
  index: number,
): AccessQuestion | NoQuestion {
  if (!isJsonObject(evaluation)) return { problem: `evaluations[${index}] must be an object.` }
  const whole = {
    subject: withDefaults(evaluation.subject, body.subject, ['type', 'id']),
    action: withDefaults(evaluation.action, body.action, ['name']),
    resource: withDefaults(evaluation.resource, body.resource, ['type', 'id']),
    context: evaluation.context,
  }
  const read = readFields(evaluationRequest, whole)
  if (read.ok) return read.value
  const { path, message } = read.problem
  return { problem: `${fieldPath(['evaluations', index, ...path])} ${message}.` }
}

/** An evaluation's own takes the place of the whole default, but for what it must have and has not. */
function withDefaults(
  own: unknown,
  fallback: Readonly<Record<string, unknown>> | undefined,
  required: readonly string[],
): unknown {
  if (own === undefined) return fallback
  if (!isJsonObject(own) || fallback === undefined) return own
  const missing = required.filter((each) => !Object.hasOwn(own, each) && Object.hasOwn(fallback, each))
  return { ...own, ...Object.fromEntries(missing.map((each) => [each, fallback[each]])) }
}

/** Whether all that is asked is about the very token that asks it. */
export function isAboutToken(questions: readonly (AccessQuestion | NoQuestion)[], token: string): boolean {
  const subjects = questions.flatMap((question) => ('problem' in question ? [] : question.subject))
  return subjects.length > 0 && subjects.every(({ type, id }) => type === 'token' && id === token)
}
