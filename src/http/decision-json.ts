import { z } from 'zod'
import type { StoredDecision } from '../decision/decision-store.ts'

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
    verdict: verdictAnswer.nullable(),
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
    claims: parsed(row.claims),
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

function parsed(text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}
