import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonObject } from '../../src/json.ts'
import type { EvaluationResult } from '../../src/policy/evaluate.ts'
import { judgeClaims } from '../../src/policy-test/judge-claims.ts'
import { checkClaims } from '../../src/token/check-claims.ts'

const IDENTITY = { issuerUrl: 'https://gitlab.example.com', allowedAudiences: ['urn:a', 'urn:b'] }

type Met = { readonly rule?: boolean; readonly conditions?: boolean; readonly guardrails?: boolean }

/** What a policy said of which all is met but what is named. */
function evaluated({ rule = true, conditions = true, guardrails = true }: Met = {}): EvaluationResult {
  const required = (met: boolean) => [{ code: 'x', message: '', met }]
  const verdict = {
    allow: rule && conditions && guardrails,
    rules: [{ id: 'deploy', title: '', met: rule, conditions: {} }],
    conditions: required(conditions),
    guardrails: required(guardrails),
    roles: [],
  }
  return {
    ok: true,
    allow: verdict.allow,
    denial: !rule
      ? 'condition_not_met'
      : !conditions
        ? 'denied_by_conditions'
        : guardrails
          ? undefined
          : 'denied_by_guardrails',
    groupMet: true,
    roles: [],
    ruleIds: rule ? ['deploy'] : [],
    verdictText: JSON.stringify(verdict),
  }
}

const judge = (claims: JsonObject, evaluation = evaluated()) => {
  const { outcome, reason } = judgeClaims({ checkClaims }, claims, IDENTITY, evaluation)
  return `${outcome} ${reason}`
}

describe("a test's claims come to", () => {
  const cases: readonly (readonly [name: string, claims: JsonObject, expected: string])[] = [
    ['nothing of the token itself', {}, 'ALLOWED allowed'],
    [
      'all of it',
      { iss: IDENTITY.issuerUrl, sub: 's', aud: 'urn:b', exp: 1, iat: 1, jti: 'j', nbf: 1 },
      'ALLOWED allowed',
    ],
    ['an audience in a list', { aud: ['urn:b'] }, 'ALLOWED allowed'],
    ['another audience', { aud: 'urn:c' }, 'DENIED token_audience'],
    ['a good audience beside another', { aud: ['urn:a', 'urn:b'] }, 'DENIED token_audience'],
    ['no audience in a list', { aud: [] }, 'DENIED token_audience'],
    ['an audience that is no text', { aud: 7 }, 'DENIED token_claims'],
    ['an audience that is null', { aud: null }, 'DENIED token_claims'],
    ['another issuer', { iss: 'https://gitlab.com' }, 'DENIED identity_issuer'],
    ['the issuer with a slash', { iss: `${IDENTITY.issuerUrl}/` }, 'DENIED identity_issuer'],
    ['an issuer that is no text', { iss: ['https://gitlab.example.com'] }, 'DENIED token_issuer'],
    ['an issuer that is null', { iss: null }, 'DENIED token_issuer'],
    ['a subject that is no text', { sub: 7 }, 'DENIED token_claims'],
    ['an expiry that is text', { exp: '1' }, 'DENIED token_claims'],
    ['a jti that is empty', { jti: '' }, 'DENIED token_claims'],
    ['the issuer before the subject', { iss: 1, sub: 1 }, 'DENIED token_issuer'],
    ['the subject before another issuer', { iss: 'https://x.example', sub: 1 }, 'DENIED token_claims'],
    [
      'another issuer before the audience',
      { iss: 'https://x.example', aud: 'urn:c' },
      'DENIED identity_issuer',
    ],
  ]
  for (const [name, claims, expected] of cases) {
    test(`${name}: ${expected}`, () => assert.equal(judge(claims), expected))
  }

  const evaluations: readonly (readonly [name: string, evaluation: EvaluationResult, expected: string])[] = [
    ['no rule is met', evaluated({ rule: false }), 'DENIED condition_not_met'],
    ['no rule and no condition', evaluated({ rule: false, conditions: false }), 'DENIED condition_not_met'],
    ['its conditions are not', evaluated({ conditions: false }), 'DENIED denied_by_conditions'],
    [
      'neither they nor the guardrails',
      evaluated({ conditions: false, guardrails: false }),
      'DENIED denied_by_conditions',
    ],
    ['the guardrails are not', evaluated({ guardrails: false }), 'DENIED denied_by_guardrails'],
    ['the policy does not end', { ok: false, reason: 'policy_timeout', cause: '' }, 'FAILED policy_timeout'],
  ]
  for (const [name, evaluation, expected] of evaluations) {
    test(`where ${name}: ${expected}`, () => assert.equal(judge({}, evaluation), expected))
  }

  test('the audience before what the policy says', () => {
    assert.equal(judge({ aud: 'urn:c' }, evaluated({ rule: false })), 'DENIED token_audience')
  })
})
