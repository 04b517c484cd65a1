import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  assertEchoable,
  assertNoToken,
  assertProblem,
  assertSafeHeaders,
  DECISION_ID,
  verdictOf,
} from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, DATABASES, startWorld, type World } from '../support/world.ts'
import { ROWS, RULES } from './gitlab-claims-rows.ts'

for (const kind of DATABASES) {
  describe(`what GitLab's claims come to on ${kind}`, () => {
    let world: World
    const emails = new Map<string, string>()

    before(async () => {
      world = await startWorld(kind)
      // One after the other: at once, the last would wait for so many compilations that its answer comes too late.
      for (const [name, { rule }] of Object.entries(RULES))
        emails.set(name, await world.createIdentity([{ id: 'the-rule', ...rule }]))
    })
    after(() => world?.close())

    for (const [name, claims, expected, { rule = 'app', version = '18.4', says } = {}] of ROWS) {
      const outcome = typeof expected === 'string' ? expected : `not met: ${expected.join(', ')}`
      test(`${name}${rule === 'app' ? '' : ` (rule: ${rule})`}: ${outcome}`, async () => {
        const email = emails.get(rule) ?? ''

        const answer = await world.exchange(world.gitlab.signToken(gitlabClaims(version, claims)), email)

        const decision = await world.lastDecision(email)
        assertSafeHeaders(answer)
        assertEchoable(answer)
        if (expected === 'allowed') assertAllowed(answer, decision)
        else if (expected === 'outside') assertOutside(answer, decision)
        else if (typeof expected === 'string') assertUnacceptable(answer, decision, expected)
        else assertUnmet(answer, decision, expected)
        if (says !== undefined) assert.match(answer.json.message, says)
        const next = await world.exchange(
          world.gitlab.signToken(gitlabClaims('18.4', RULES[rule].good)),
          email,
        )
        assert.equal(next.status, 200, next.text)
      })
    }

    test('every condition is always present, and those of the ids and claims where the rule has them', async () => {
      const always = ['fork', 'group', 'merge_request', 'pipeline_source', 'project', 'protected_ref', 'ref']
      const codesOf = async (rule: keyof typeof RULES) => {
        await world.exchange(
          world.gitlab.signToken(gitlabClaims('18.4', RULES[rule].good)),
          emails.get(rule) ?? '',
        )
        const decision = await world.lastDecision(emails.get(rule) ?? '')
        return Object.keys(verdictOf(decision).rules[0]?.conditions ?? {}).sort()
      }

      assert.deepEqual(await codesOf('app'), always)
      assert.deepEqual(await codesOf('pinned project'), [...always, 'project_id'].sort())
      assert.deepEqual(await codesOf('pinned namespace'), [...always, 'namespace_id'].sort())
      assert.deepEqual(await codesOf('environment'), ['claim:environment', ...always])
    })
  })
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
