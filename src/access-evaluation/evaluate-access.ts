import type { AccessDecision, Settled } from '../decision/decision.ts'
import type { RecordDecision } from '../decision/record-decisions.ts'
import { RequestError, unavailable } from '../errors.ts'
import type { AccessQuestion, AccessRequest, NoQuestion, Semantic } from './access-question.ts'
import { type AccessAnswer, answerTo, noAnswer } from './answer-access.ts'
import { type DecideAccessDeps, decideAccess } from './decide-access.ts'
import { type FindSubjectDeps, findSubject, type Subject } from './find-subject.ts'

export type EvaluateAccessDeps = DecideAccessDeps &
  FindSubjectDeps & {
    readonly recordDecision: RecordDecision
    /** Whether one more decision on a token that does not count gets a row of its own. */
    readonly keepsRow: (callerIp: string) => boolean
    /** Counts one that got none. */
    readonly countAttempt: (callerIp: string, decision: AccessDecision) => void
    /** Does one of many pieces of work when it is its turn among all such; throws `unavailable` where too many wait. */
    readonly inTurn: <Result>(work: () => Promise<Result>) => Promise<Result>
    /** Makes the next decision read anew what this one was made on. */
    readonly forgetCached: (decision: AccessDecision) => void
  }

/** As an exchange: how often a decision is made anew because what it stood on changed meanwhile. */
const MAX_DECISIONS = 3
/** As an exchange: an answer has 8 s, and a statement that is on its way may take 2.5 of them. */
const RECORD_WITHIN_MS = 4_000

/**
 * Answers questions about access: each is decided, and recorded on revisions that are still current, before it is
 * answered. A failed record is no answer: it throws `unavailable`. Throws `unauthenticated` for a token that asks about
 * itself and does not count. Of many questions each waits for its turn, so that a few requests do not take all of the
 * database's connections from everybody else.
 */
export async function evaluateAccess(
  deps: EvaluateAccessDeps,
  request: AccessRequest,
  questions: readonly (AccessQuestion | NoQuestion)[],
  semantic: Semantic = 'execute_all',
): Promise<readonly AccessAnswer[]> {
  // Many questions of one request are about one subject.
  const subjects = new Map<string, Promise<Subject>>()
  const inTurn: EvaluateAccessDeps['inTurn'] = questions.length === 1 ? (work) => work() : deps.inTurn
  const evaluate = (question: AccessQuestion | NoQuestion) =>
    'problem' in question ? noAnswer(question) : inTurn(() => evaluateOne(deps, request, question, subjects))
  if (semantic === 'execute_all') return Promise.all(questions.map(evaluate))

  const answers: AccessAnswer[] = []
  for (const question of questions) {
    const answer = await evaluate(question)
    answers.push(answer)
    if (answer.decision === (semantic === 'permit_on_first_permit')) break
  }
  return answers
}

async function evaluateOne(
  deps: EvaluateAccessDeps,
  request: AccessRequest,
  question: AccessQuestion,
  subjects: Map<string, Promise<Subject>>,
): Promise<AccessAnswer> {
  const key = `${question.subject.type} ${question.subject.id}`
  for (let attempt = 0; attempt < MAX_DECISIONS; attempt++) {
    const finding = subjects.get(key) ?? findSubject(deps, question.subject)
    subjects.set(key, finding)
    const subject = await finding
    const asker = { ...request, caller: request.caller ?? selfOf(subject) }
    const decision = await decideAccess(deps, asker, question, subject)
    const recorded = await record(deps, request, decision)
    if (recorded !== undefined) return answerTo(recorded, request.caller !== undefined, subject)
    deps.forgetCached(decision)
    subjects.delete(key)
  }
  throw unavailable('The decision could not be recorded; ask again.')
}

function selfOf(subject: Subject): string {
  if (subject.isKnown) return `workloadIdentities/${subject.email}`
  throw new RequestError(
    'unauthenticated',
    'The access token is invalid or expired, or does not count any more.',
  )
}

/** Tokens that do not count may be anybody's, by the thousand: beyond some of them they are only counted. */
async function record(
  deps: EvaluateAccessDeps,
  { callerIp, arrivedAt }: AccessRequest,
  decision: AccessDecision,
): Promise<Settled<AccessDecision> | undefined> {
  const keepRefusal = decision.reason !== 'token_inactive' || deps.keepsRow(callerIp)
  if (!keepRefusal) deps.countAttempt(callerIp, decision)
  return deps.recordDecision(decision, { recordBy: arrivedAt + RECORD_WITHIN_MS, keepRefusal })
}
