import { z } from 'zod'
import type { StoredDecision } from '../decision/decision-store.ts'
import { grantsAnswer, missingAnswer } from './access-answers.ts'

const conditionAnswer = z
  .strictObject({
    claim: z.string().meta({ description: 'The claim that it looks at.' }),
    expected: z.string().meta({ description: 'What the rule wants, in words.' }),
    actual: z.unknown().meta({ description: 'What the token has; null where it has no such claim.' }),
    met: z.boolean(),
  })
  .meta({ id: 'ConditionVerdict' })

export const ruleAnswer = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    met: z.boolean(),
    conditions: z.record(z.string(), conditionAnswer),
  })
  .meta({ id: 'RuleVerdict' })

export const requirementAnswer = z
  .strictObject({ code: z.string(), message: z.string(), met: z.boolean() })
  .meta({ id: 'RequirementVerdict' })

export const verdictAnswer = z
  .strictObject({
    allow: z.boolean(),
    rules: z.array(ruleAnswer),
    conditions: z.array(requirementAnswer),
    guardrails: z.array(requirementAnswer),
    roles: z.array(z.string()),
  })
  .meta({ id: 'Verdict', description: 'What the policy said; the outcome is what came of it.' })

const accessVerdictAnswer = z
  .strictObject({ allow: z.boolean(), reason: z.string(), grants: grantsAnswer, missing: missingAnswer })
  .meta({ id: 'AccessVerdict', description: 'What the policy of access decisions said.' })

const accessAnswer = z
  .strictObject({
    caller: z.string().meta({ description: 'Who asked.' }),
    subjectType: z.string(),
    permission: z.string(),
    resource: z.strictObject({ type: z.string(), id: z.string() }),
    input: z.record(z.string(), z.unknown()).nullable().meta({
      description: "The policy's whole input; null where it was not asked.",
    }),
  })
  .meta({ id: 'AskedAccess', description: 'What an access decision is on; null in any other.' })

export const decisionAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`decisions/` and a UUIDv7.' }),
    kind: z.enum(['EXCHANGE', 'DRY_RUN', 'ACCESS']),
    outcome: z.enum(['ALLOWED', 'DENIED', 'FAILED']),
    reason: z.string(),
    identity: z.string().nullable(),
    issuerUrl: z.string().nullable(),
    subject: z.string().nullable(),
    claims: z.record(z.string(), z.unknown()).nullable().meta({
      description: 'Only of a token whose signature was verified, without the personal ones.',
    }),
    access: accessAnswer.nullable(),
    verdict: z.union([verdictAnswer, accessVerdictAnswer]).nullable(),
    policyDigest: z.string().nullable(),
    guardrailsDigest: z.string().nullable(),
    subjectTokenHash: z.string().nullable().meta({ description: 'SHA-256 in hex.' }),
    subjectKeyId: z.string().nullable(),
    issuedKeyId: z.string().nullable(),
    issuedExpireTime: z.iso.datetime().nullable(),
    decideTime: z.iso.datetime(),
    requestId: z.string().nullable(),
    callerIp: z.string().nullable(),
    userAgent: z.string().nullable(),
    count: z.int().meta({ description: 'More than 1 in a summary of attempts with unverified tokens.' }),
  })
  .meta({ id: 'Decision' })

/** A decision as it is answered. Claims and verdict are the recorded texts, parsed. */
export function decisionJson(row: StoredDecision) {
  return {
    name: `decisions/${row.id}`,
    kind: row.kind,
    outcome: row.outcome,
    reason: row.reason,
    identity: row.identity,
    issuerUrl: row.issuer_url,
    subject: row.subject,
    claims: row.kind === 'ACCESS' ? null : parsed(row.claims),
    access: row.kind === 'ACCESS' ? accessJson(row) : null,
    verdict: parsed(row.verdict),
    policyDigest: row.policy_digest,
    guardrailsDigest: row.guardrails_digest,
    subjectTokenHash:
      row.subject_token_hash === null ? null : Buffer.from(row.subject_token_hash).toString('hex'),
    subjectKeyId: row.subject_key_id,
    issuedKeyId: row.issued_key_id,
    issuedExpireTime: row.issued_expire_time?.toISOString() ?? null,
    decideTime: row.decide_time.toISOString(),
    requestId: row.request_id,
    callerIp: row.caller_ip,
    userAgent: row.user_agent,
    count: row.count,
  }
}

/** All of a summary row is null: it stands for many questions. */
function accessJson(row: StoredDecision) {
  const { caller, subject_type: subjectType, permission, resource_type: type, resource_id: id } = row
  if (caller === null) return null
  return { caller, subjectType, permission, resource: { type, id }, input: parsed(row.claims) }
}

function parsed(text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}
