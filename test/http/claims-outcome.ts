import assert from 'node:assert/strict'
import {
  assertEchoable,
  assertNoToken,
  assertProblem,
  assertSafeHeaders,
  DECISION_ID,
  verdictOf,
} from '../support/answers.ts'
import type { Answer } from '../support/world.ts'

/** Unmet conditions are a 403, `outside` is the undifferentiated 401, any other text the reason of a 401 or 403. */
export type Expected = 'allowed' | 'outside' | readonly string[] | `token_${string}`

export function outcomeOf(expected: Expected): string {
  return typeof expected === 'string' ? expected : `not met: ${expected.join(', ')}`
}

/** Holds the answer to an exchange, and the decision that it recorded, against what the claims should come to. */
export function assertComesTo(expected: Expected, answer: Answer, decision: Decision): void {
  assertSafeHeaders(answer)
  assertEchoable(answer)
  if (expected === 'allowed') assertAllowed(answer, decision)
  else if (expected === 'outside') assertOutside(answer, decision)
  else if (typeof expected === 'string') assertUnacceptable(answer, decision, expected)
  else assertUnmet(answer, decision, expected)
}

type Decision = Readonly<Record<string, unknown>> | undefined

function assertAllowed(answer: Answer, decision: Decision): void {
  assert.equal(answer.status, 200, answer.text)
  assert.ok(answer.json.accessToken)
  assertRecorded(decision, 'ALLOWED', 'allowed', answer.json.decisionId)
  assert.equal(verdictOf(decision).allow, true)
}

function assertOutside(answer: Answer, decision: Decision): void {
  assertProblem(answer, 401, 16, 'Token exchange denied.')
  assertNoToken(answer)
  assert.deepEqual(Object.keys(answer.json.details[0]), ['decisionId', 'token'])
  assertRecorded(decision, 'DENIED', 'condition_not_met', answer.json.details[0].decisionId)
  assert.ok(unmetCodes(decision).includes('group'))
}

function assertUnacceptable(answer: Answer, decision: Decision, reason: string): void {
  assertProblem(answer, 401, 16, /^Token exchange denied\. ./)
  assertNoToken(answer)
  assert.equal(answer.json.details[0].reason, reason)
  assert.equal(decision?.outcome, 'DENIED')
  assert.equal(decision?.reason, reason)
  assert.equal(decision?.verdict, null)
  assert.equal(
    decision?.claims === null,
    reason === 'token_issuer',
    'claims are of a verified signature alone',
  )
}

function assertUnmet(answer: Answer, decision: Decision, codes: readonly string[]): void {
  assertProblem(answer, 403, 7, /^Token exchange denied\. Rule 'the-rule'/)
  assertNoToken(answer)
  const [details] = answer.json.details
  assert.deepEqual(Object.keys(details), ['decisionId', 'reason', 'rules', 'conditions', 'guardrails'])
  assert.equal(details.reason, 'condition_not_met')
  assertRecorded(decision, 'DENIED', 'condition_not_met', details.decisionId)
  assert.deepEqual(unmetCodes(decision), [...codes].sort())
  assert.deepEqual(unmetCodes({ verdict: { rules: details.rules } }), [...codes].sort())
  for (const code of codes)
    assert.ok(answer.json.message.includes(`Condition ${code}: `), answer.json.message)
}

function assertRecorded(decision: Decision, outcome: string, reason: string, id: string): void {
  assert.match(id, DECISION_ID)
  assert.equal(decision?.name, `decisions/${id}`)
  assert.equal(decision?.outcome, outcome)
  assert.equal(decision?.reason, reason)
  assert.ok(decision?.claims)
  const verdict = verdictOf(decision)
  assert.equal(verdict.allow, outcome === 'ALLOWED')
  assert.equal(verdict.rules[0]?.met, outcome === 'ALLOWED')
  assert.equal(unmetCodes(decision).length === 0, outcome === 'ALLOWED')
}

function unmetCodes(decision: Decision): readonly string[] {
  const [rule] = verdictOf(decision).rules
  return Object.entries(rule?.conditions ?? {})
    .filter(([, condition]) => !condition.met)
    .map(([code]) => code)
    .sort()
}
