import type { Database, PreparedStatement } from '../db/database.ts'
import type { ProjectRoles } from '../decision/decision.ts'
import type { Rule } from '../identity/rule.ts'
import type { AccessTokenClaims, Audience } from './access-token.ts'

/** An access token of ours that counts at this moment, and what of it still does. */
export type LiveToken = {
  readonly claims: AccessTokenClaims
  readonly identity: {
    readonly id: string
    readonly email: string
    readonly title: string
    /** The id of the project that it belongs to; null where that is the workspace. */
    readonly project: string | null
  }
  /** All rules that its identity has, those that it did not meet and those that are disabled among them. */
  readonly identityRules: readonly Rule[]
  /** What this is true of, beside that the token is not revoked: another revision as soon as something of it changes. */
  readonly standsOn: {
    readonly identityRevision: string
    readonly projectRevision: string | null
    readonly issuerUrl: string
    readonly issuerRevision: string
  }
  /** The ids of the rules it met that its identity still has, and enabled: one at least. */
  readonly rules: readonly string[]
  /** The token's roles that these rules still give, in the whole workspace. */
  readonly roles: readonly string[]
  /** The same of an identity of a project, in that project only. */
  readonly projects: readonly ProjectRoles[]
}

/** Undefined for what is not, or no longer, a token that counts; why is nobody's to know. */
export type FindLiveToken = (token: string, audience: Audience) => Promise<LiveToken | undefined>

/**
 * Makes the check whether an access token counts: signed by us and not expired; its identity the very one that it was
 * issued for, active, with its project and the issuer of the job's token; neither it nor all tokens of its identity
 * revoked since, nor the key that signed it taken away; and one of the rules that it met still there and enabled. Read anew each time, in one round trip.
 */
export function createFindLiveToken(deps: {
  readonly db: Pick<Database, 'run'>
  readonly verifyAccessToken: VerifyAccessToken
}): FindLiveToken {
  return async (token, audience) => {
    const claims = await deps.verifyAccessToken(token, audience)
    return claims && liveToken(claims, await findTokenIdentity(deps.db, claims.decisionId))
  }
}

export type VerifyAccessToken = (token: string, audience: Audience) => Promise<AccessTokenClaims | undefined>

/** The identity that a token was issued for by its decision, where nothing has ended the tokens of that. */
export async function findTokenIdentity(
  db: Pick<Database, 'run'>,
  decisionId: string,
): Promise<TokenIdentity | undefined> {
  const [row] = await db.run<TokenIdentity>(FIND_IDENTITY, [decisionId])
  return row
}

/** What of a token still counts; undefined where nothing does. */
export function liveToken(claims: AccessTokenClaims, row: TokenIdentity | undefined): LiveToken | undefined {
  if (row === undefined || row.key_id !== claims.keyId) return undefined
  const {
    rules: identityRules,
    revision,
    key_id: _,
    project_revision,
    issuer_url,
    issuer_revision,
    ...identity
  } = row
  const rules = identityRules.filter((rule) => !rule.disabled && claims.rules.includes(rule.id))
  if (rules.length === 0) return undefined
  const granted = new Set(rules.flatMap((rule) => rule.roles))
  const stillGranted = (roles: readonly string[]) => roles.filter((role) => granted.has(role))
  return {
    claims,
    identity,
    identityRules,
    standsOn: {
      identityRevision: revision,
      projectRevision: project_revision,
      issuerUrl: issuer_url,
      issuerRevision: issuer_revision,
    },
    rules: rules.map((rule) => rule.id),
    roles: stillGranted(claims.roles),
    projects: claims.projects.map(({ name, roles }) => ({ name, roles: stillGranted(roles) })),
  }
}

/** `project` is the id of the project that it belongs to. */
export type TokenIdentity = {
  readonly id: string
  readonly email: string
  readonly title: string
  readonly project: string | null
  readonly rules: readonly Rule[]
  /** Of the key that was to sign the token. */
  readonly key_id: string
  readonly revision: string
  readonly project_revision: string | null
  readonly issuer_url: string
  readonly issuer_revision: string
}

/**
 * The identity of the decision that a token was issued on, where nothing has ended its tokens. A decision from before
 * revisions were kept with it counts as older than any revocation.
 */
const FIND_IDENTITY: PreparedStatement = {
  name: 'find-identity-of-live-token',
  text: `
    select i.id, i.email, i.title, i.project_id as project, i.config->'rules' as rules, i.revision,
        p.revision as project_revision, s.issuer_url, s.revision as issuer_revision, k.kid as key_id
      from decisions d
        join workload_identities i on i.id = d.identity_id
        join issuers s on s.id = i.issuer_id and s.issuer_url = d.issuer_url
        -- Whoever verified the token may not know yet that its key was taken away.
        join signing_keys k on k.kid = d.issued_key_id and k.state in ('ACTIVE', 'RETIRED')
        left join projects p on p.id = i.project_id
      where d.id = $1 and d.kind = 'EXCHANGE' and d.outcome = 'ALLOWED'
        and i.state = 'ACTIVE' and s.state = 'ACTIVE' and (i.project_id is null or p.state = 'ACTIVE')
        and coalesce(d.identity_revision, 0) >= i.tokens_revoked_revision
        and not exists (select from revoked_tokens r where r.decision_id = d.id)`,
}
