import type { AccessDecision } from './decision.ts'
import { DECIDED_ON, IS_CURRENT, recordset } from './recordset.ts'

/** An access decision's columns as `json_to_recordset` reads them, named alike in the table. */
const COLUMNS = {
  id: 'uuid',
  kind: 'text',
  outcome: 'text',
  reason: 'text',
  identity: 'text',
  identity_id: 'uuid',
  identity_revision: 'bigint',
  issuer_url: 'text',
  claims: 'text',
  verdict: 'text',
  policy_digest: 'text',
  subject_key_id: 'text',
  decide_time: 'timestamptz',
  request_id: 'text',
  caller_ip: 'text',
  user_agent: 'text',
  project: 'text',
  caller: 'text',
  subject_type: 'text',
  permission: 'text',
  resource_type: 'text',
  resource_id: 'text',
} as const

/** What the statement needs beside the columns. */
const INSTRUCTIONS = {
  subject_token_hash: 'text',
  check_identity: 'boolean',
  project_revision: 'bigint',
  issuer_revision: 'bigint',
  roles_revision: 'bigint',
  resource_project: 'text',
  resource_revision: 'bigint',
  iam_revision: 'bigint',
  token_decision_id: 'uuid',
  token_key_id: 'text',
} as const

type AccessRow = Record<keyof typeof COLUMNS | keyof typeof INSTRUCTIONS, string | boolean | null>

const columnNames = Object.keys(COLUMNS).join(', ')

/** The access decisions of this parameter that were made on revisions which are current: two parts of a WITH. */
export const accessCurrent = (parameter: '$1' | '$2') => `
    access_asked as (
      select * from ${recordset(parameter, { ...COLUMNS, ...INSTRUCTIONS })}
    ), access_current as (
      select a.* from access_asked a ${DECIDED_ON}
        left join projects r on r.id = a.resource_project
        cross join role_changes c
      where ${IS_CURRENT}
        and (a.roles_revision is null or c.revision = a.roles_revision)
        and r.revision is not distinct from a.resource_revision
        and r.iam_revision is not distinct from a.iam_revision
        and not exists (select from revoked_tokens t where t.decision_id = a.token_decision_id)
        and (a.token_key_id is null or exists (
          select from signing_keys k where k.kid = a.token_key_id and k.state in ('ACTIVE', 'RETIRED')))
    )`

/** Adds them, all of them. */
export const ACCESS_INSERT = `
      insert into decisions (${columnNames}, subject_token_hash)
      select ${columnNames}, decode(subject_token_hash, 'hex') from access_current
      returning id, reason, true as has_row`

/** An access decision as these statements are given it. */
export function toAccessRow(decision: AccessDecision): AccessRow {
  const { asked, decidedOn } = decision
  return {
    id: decision.id,
    kind: decision.kind,
    outcome: decision.outcome,
    reason: decision.reason,
    identity: decision.identity,
    identity_id: decision.identityId,
    identity_revision: decidedOn.identityRevision ?? null,
    issuer_url: decision.issuerUrl,
    claims: decision.claims,
    verdict: decision.verdict,
    policy_digest: decision.policyDigest,
    subject_key_id: decision.subjectKeyId,
    decide_time: new Date(decision.decideTime).toISOString(),
    request_id: decision.requestId,
    caller_ip: decision.callerIp,
    user_agent: decision.userAgent,
    project: decision.project,
    caller: asked.caller,
    subject_type: asked.subjectType,
    permission: asked.permission,
    resource_type: asked.resourceType,
    resource_id: asked.resourceId,
    subject_token_hash: decision.subjectTokenHash,
    check_identity: decidedOn.identityRevision !== undefined,
    project_revision: decidedOn.projectRevision,
    issuer_revision: decidedOn.issuerRevision,
    roles_revision: decidedOn.rolesRevision,
    resource_project: decidedOn.resourceProject,
    resource_revision: decidedOn.resourceRevision,
    iam_revision: decidedOn.iamRevision,
    token_decision_id: decidedOn.tokenDecisionId,
    token_key_id: decidedOn.tokenKeyId,
  }
}
