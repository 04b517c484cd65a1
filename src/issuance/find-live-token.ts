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
 * revoked since; and one of the rules that it met still there and enabled. Read anew each time, in one round trip.
 */
export function createFindLiveToken(deps: {
  readonly db: Pick<Database, 'run'>
  readonly verifyAccessToken: (token: string, audience: Audience) => Promise<AccessTokenClaims | undefined>
}): FindLiveToken {
  return async (token, audience) => {
    const claims = await deps.verifyAccessToken(token, audience)
    if (claims === undefined) return undefined
    const [row] = await deps.db.run<IdentityRow>(FIND_IDENTITY, [claims.decisionId])
    if (row === undefined) return undefined

    const { rules: current, ...identity } = row
    const rules = current.filter((rule) => !rule.disabled && claims.rules.includes(rule.id))
    if (rules.length === 0) return undefined
    const granted = new Set(rules.flatMap((rule) => rule.roles))
    const stillGranted = (roles: readonly string[]) => roles.filter((role) => granted.has(role))
    return {
      claims,
      identity,
      rules: rules.map((rule) => rule.id),
      roles: stillGranted(claims.roles),
      projects: claims.projects.map(({ name, roles }) => ({ name, roles: stillGranted(roles) })),
    }
  }
}

type IdentityRow = {
  readonly id: string
  readonly email: string
  readonly title: string
  readonly project: string | null
  readonly rules: readonly Rule[]
}

/**
 * The identity of the decision that a token was issued on, where nothing has ended its tokens. A decision from before
 * revisions were kept with it counts as older than any revocation.
 */
const FIND_IDENTITY: PreparedStatement = {
  name: 'find-identity-of-live-token',
  text: `
    select i.id, i.email, i.title, i.project_id as project, i.config->'rules' as rules
      from decisions d
        join workload_identities i on i.id = d.identity_id
        join issuers s on s.id = i.issuer_id and s.issuer_url = d.issuer_url
        left join projects p on p.id = i.project_id
      where d.id = $1 and d.kind = 'EXCHANGE' and d.outcome = 'ALLOWED'
        and i.state = 'ACTIVE' and s.state = 'ACTIVE' and (i.project_id is null or p.state = 'ACTIVE')
        and coalesce(d.identity_revision, 0) >= i.tokens_revoked_revision
        and not exists (select from revoked_tokens r where r.decision_id = d.id)`,
}
