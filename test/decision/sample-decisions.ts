import { createHash, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Database } from '../../src/db/database.ts'
import type {
  AccessDecidedOn,
  AccessDecision,
  AllowedDecision,
  DecisionFacts,
  DryRun,
  RefusedDecision,
} from '../../src/decision/decision.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'

/** What decisions are made on, as rows. */
export type Ground = {
  readonly email: string
  readonly identityId: string
  readonly identityRevision: string
  readonly issuerUrl: string
  readonly issuerRevision: string
}

export const NOW = Date.UTC(2026, 10, 24, 12)
const DIGEST = `sha256:${'5'.repeat(64)}`
const KID = 'the-signing-key'
const newIdAt = createDecisionIds()
export const newDecisionId = () => newIdAt(NOW)

/** Adds an identity, with its issuer, policy and signing key where they are new. */
export async function addIdentity(
  db: Database,
  email: string,
  issuerUrl = 'https://gitlab.example.com',
): Promise<Ground> {
  const identityId = randomUUID()
  const issuerId = `i-${createHash('sha256').update(issuerUrl).digest('hex').slice(0, 8)}`
  await sql`
    insert into issuers (id, issuer_url, title, provider_type, state, algorithms, create_time, update_time)
    values (${issuerId}, ${issuerUrl}, 'GitLab', 'GITLAB', 'ACTIVE', '{RS256}', now(), now())
    on conflict do nothing`.execute(db.kysely)
  await sql`
    insert into policies (digest, compiler, entrypoint, modules, wasm, compile_time)
    values (${DIGEST}, 'opa 1.22.2', 'claimgate/verdict', '[]', '', now()) on conflict do nothing`.execute(
    db.kysely,
  )
  await sql`
    insert into signing_keys (kid, algorithm, public_jwk, encrypted_private_key, state, create_time)
    values (${KID}, 'ES256', '{}', 'sealed', 'ACTIVE', now()) on conflict do nothing`.execute(db.kysely)
  await sql`
    insert into workload_identities (id, email, title, state, token_lifetime_seconds, subject_token_use, token_audiences,
      recorded_claims, config, issuer_id, policy_digest, create_time, update_time)
    values (${identityId}, ${email}, 'Deploy', 'ACTIVE', 3600, 'ONCE', '[]', '[]', '{}', ${issuerId}, ${DIGEST},
      now(), now())`.execute(db.kysely)
  const { rows } = await sql<{ identity: string; issuer: string }>`
    select i.revision as identity, s.revision as issuer from workload_identities i join issuers s on s.id = i.issuer_id
    where i.id = ${identityId}`.execute(db.kysely)
  const [row] = rows
  if (row === undefined) throw new Error('The identity was not added.')
  return { email, identityId, identityRevision: row.identity, issuerUrl, issuerRevision: row.issuer }
}

/** A decision that allows the token with this `jti`; without one the token may be used again and again. */
export function allowed(ground: Ground, jti?: string, more: Partial<AllowedDecision> = {}): AllowedDecision {
  return {
    ...facts(ground),
    outcome: 'ALLOWED',
    reason: 'allowed',
    decidedOn: revisionsOf(ground),
    singleUse: jti === undefined ? null : { jtiHash: sha256(jti), keepUntil: NOW + 4_000_000 },
    grant: {
      email: ground.email,
      audience: 'https://claimgate.example.com',
      roles: [],
      projects: [],
      rules: ['deploy'],
      workload: {},
      keyId: KID,
      issueTime: NOW / 1000,
      expireTime: NOW / 1000 + 3600,
    },
    ...more,
  }
}

/** A decision of the policy against a token. */
export function denied(ground: Ground, more: Partial<RefusedDecision> = {}): RefusedDecision {
  return {
    ...facts(ground),
    outcome: 'DENIED',
    reason: 'condition_not_met',
    decidedOn: revisionsOf(ground),
    ...more,
  }
}

/** A dry run that comes to an exchange which would be allowed. */
export function dryRun(ground: Ground, more: Partial<DryRun> = {}): DryRun {
  return {
    ...facts(ground),
    kind: 'DRY_RUN',
    outcome: 'ALLOWED',
    reason: 'allowed',
    decidedOn: revisionsOf(ground),
    keepUntil: NOW + 86_735_000,
    ...more,
  }
}

/** A decision that a token may do something in the project `shop`. */
export function accessDecision(
  ground: Ground,
  decidedOn: Partial<AccessDecidedOn> = {},
  more: Partial<AccessDecision> = {},
): AccessDecision {
  const { subject: _, guardrailsDigest: __, projectPath: ___, ...common } = facts(ground)
  return {
    ...common,
    kind: 'ACCESS',
    outcome: 'ALLOWED',
    reason: 'allowed',
    asked: {
      caller: 'adminTokens/first',
      subjectType: 'token',
      permission: 'db.create',
      resourceType: 'project',
      resourceId: 'shop',
    },
    decidedOn: {
      identityRevision: ground.identityRevision,
      projectRevision: null,
      issuerRevision: ground.issuerRevision,
      rolesRevision: null,
      resourceProject: null,
      resourceRevision: null,
      iamRevision: null,
      tokenDecisionId: null,
      tokenKeyId: null,
      ...decidedOn,
    },
    ...more,
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function revisionsOf({ identityRevision, issuerRevision }: Ground) {
  return { identityRevision, projectRevision: null, issuerRevision, guardrailsRevision: null }
}

function facts(ground: Ground): DecisionFacts {
  return {
    id: newDecisionId(),
    kind: 'EXCHANGE',
    identity: ground.email,
    identityId: ground.identityId,
    issuerUrl: ground.issuerUrl,
    subject: 'project_path:acme/app:ref_type:branch:ref:main',
    claims: '{"b":"2","a":"1"}',
    verdict: '{"allow":true}',
    policyDigest: DIGEST,
    guardrailsDigest: null,
    subjectTokenHash: sha256(randomUUID()),
    subjectKeyId: 'their-key',
    decideTime: NOW,
    requestId: randomUUID(),
    callerIp: '198.51.100.7',
    userAgent: 'curl/8',
    projectPath: 'acme/app',
    project: null,
  }
}
