import { z } from 'zod'
import type {
  AccessQuestion,
  AccessRequest,
  NoQuestion,
  Semantic,
} from '../access-evaluation/access-question.ts'
import type { AccessAnswer } from '../access-evaluation/answer-access.ts'
import { grantsAnswer, missingAnswer } from './access-answers.ts'
import { ACCESS_ANSWER, ACCESS_QUESTION, MANY_ACCESS_QUESTIONS } from './access-examples.ts'
import {
  type EvaluationsRequest,
  evaluationRequest,
  evaluationsRequest,
  isAboutToken,
  readEvaluations,
} from './authzen-request.ts'
import { parse } from './parse.ts'
import { defineRoute, type Route, type RouteRequest, SMALL_BODY } from './route.ts'

export type EvaluateAccessRouteDeps = {
  readonly evaluateAccess: (
    request: AccessRequest,
    questions: readonly (AccessQuestion | NoQuestion)[],
    semantic?: Semantic,
  ) => Promise<readonly AccessAnswer[]>
}

const evaluationAnswer = z
  .strictObject({
    decision: z.boolean(),
    context: z.union([
      z.strictObject({
        reason: z.string().meta({ description: 'As the decision has it.' }),
        message: z.string(),
        decisionId: z.uuid().optional(),
        grants: grantsAnswer.optional(),
        missing: missingAnswer.optional(),
      }),
      z.strictObject({ error: z.strictObject({ status: z.literal(400), message: z.string() }) }),
    ]),
  })
  .meta({ id: 'AccessDecision' })

/** What both calls have in common: AuthZEN's errors are texts, and its ids of requests are anything. */
const AUTHZEN = {
  group: 'Access decisions',
  access: 'claimgate.access.evaluate',
  query: 'ignored',
  errorsAs: 'text',
  echoesRequestId: true,
} as const

/** `POST /access/v1/evaluation`: may this subject do that? (AuthZEN, Authorization API 1.0, section 6) */
export function evaluateAccessRoute(deps: EvaluateAccessRouteDeps): Route {
  return defineRoute({
    ...AUTHZEN,
    method: 'POST',
    path: '/access/v1/evaluation',
    summary: 'Ask whether a subject may do something (AuthZEN).',
    operationId: 'evaluateAccess',
    body: { schema: evaluationRequest.meta({ examples: [ACCESS_QUESTION] }), limit: SMALL_BODY },
    answer: evaluationAnswer.meta({ examples: [ACCESS_ANSWER] }),
    isForItself: (body, token) => isAboutToken([body], token),
    async handle(request) {
      return { body: await evaluateOne(deps, request, request.body) }
    },
  })
}

/** `POST /access/v1/evaluations`: the same of many (section 7). */
export function evaluateManyAccessRoute(deps: EvaluateAccessRouteDeps): Route {
  return defineRoute({
    ...AUTHZEN,
    method: 'POST',
    path: '/access/v1/evaluations',
    summary: 'Ask many such questions at once (AuthZEN).',
    operationId: 'evaluateAccessMany',
    body: { schema: evaluationsRequest.meta({ examples: [MANY_ACCESS_QUESTIONS] }), limit: SMALL_BODY },
    answer: z.union([z.strictObject({ evaluations: z.array(evaluationAnswer) }), evaluationAnswer]),
    isForItself: (body, token) => isAboutToken(questionsOf(body), token),
    async handle(request) {
      const many = readEvaluations(request.body)
      if (many === undefined) {
        return { body: await evaluateOne(deps, request, parse(evaluationRequest, request.body)) }
      }
      const { questions, semantic } = many
      const evaluations = await deps.evaluateAccess(accessRequest(request), questions, semantic)
      const allowed = evaluations.filter(({ decision }) => decision).length
      request.note({ evaluations: String(evaluations.length), allowed: String(allowed) })
      return { body: { evaluations } }
    },
  })
}

function questionsOf(body: EvaluationsRequest): readonly (AccessQuestion | NoQuestion)[] {
  return readEvaluations(body)?.questions ?? [parse(evaluationRequest, body)]
}

async function evaluateOne(
  { evaluateAccess }: EvaluateAccessRouteDeps,
  request: RouteRequest<unknown, unknown>,
  question: AccessQuestion,
): Promise<AccessAnswer> {
  const [answer] = await evaluateAccess(accessRequest(request), [question])
  if (answer === undefined) throw new Error('There is no answer.')
  const { context } = answer
  if ('reason' in context) {
    const outcome = answer.decision ? 'ALLOWED' : 'DENIED'
    request.note({ decision: context.decisionId ?? null, outcome, reason: context.reason })
  }
  return answer
}

function accessRequest(request: RouteRequest<unknown, unknown>): AccessRequest {
  const { caller, requestId, callerIp, userAgent, arrivedAt } = request
  return { caller: caller.name === '' ? undefined : caller.name, requestId, callerIp, userAgent, arrivedAt }
}
