import type { StoredDecision } from '../decision/decision-store.ts'

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
