import type { Clock } from '../clock.ts'
import type { Database, PreparedStatement } from '../db/database.ts'
import { firstIdAt } from './decision-id.ts'

/** Access tokens that have not expired and were not revoked, nor the key that signed them, whether or not something keeps them from counting now. */
export type TokenCount = {
  readonly unexpiredTokens: number
  /** False: there were more exchanges than are looked at, so there may be more tokens. */
  readonly isComplete: boolean
}

export type IdentityTokenCount = TokenCount & {
  /** How many of them met each rule; those that none met are left out. */
  readonly rules: readonly { readonly rule: string; readonly unexpiredTokens: number }[]
}

/** Of an identity's tokens those that a revocation ended: from the revocation before it until its own revision. */
export type RevokedRange = { readonly from: string; readonly until: string }

export type TokenCounter = {
  ofIdentity(
    identity: { readonly id: string; readonly email: string },
    revoked?: RevokedRange,
  ): Promise<IdentityTokenCount>
  ofIssuer(issuerUrl: string): Promise<TokenCount>
}

/** No access token is good for longer; and by how much the clocks of those who issue them may be apart. */
const LONGEST_LIFE_MS = 3_600_000 + 300_000
/** A busy hour has millions; these take two tenths of a second (measured), which who ends tokens can wait. */
const LOOK_AT = 10_000

/** Makes the count of tokens that could still be presented, from the decisions that they were issued on. */
export function createTokenCounter({
  db,
  clock,
}: {
  readonly db: Pick<Database, 'run'>
  readonly clock: Clock
}): TokenCounter {
  const since = () => [firstIdAt(clock() - LONGEST_LIFE_MS), new Date(clock()).toISOString()]
  return {
    async ofIdentity({ id, email }, revoked) {
      const range = [revoked?.from ?? null, revoked?.until ?? null]
      const [row] = await db.run<CountRow & { rules: Record<string, number> }>(OF_IDENTITY, [
        ...since(),
        LOOK_AT,
        id,
        email,
        ...range,
      ])
      const rules = Object.entries(row?.rules ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
      return {
        ...readCount(row),
        rules: rules.map(([rule, unexpiredTokens]) => ({ rule, unexpiredTokens })),
      }
    },
    async ofIssuer(issuerUrl) {
      const [row] = await db.run<CountRow>(OF_ISSUER, [...since(), LOOK_AT, issuerUrl])
      return readCount(row)
    },
  }
}

type CountRow = { readonly tokens: number; readonly looked: number }

function readCount(row: CountRow | undefined): TokenCount {
  return { unexpiredTokens: row?.tokens ?? 0, isComplete: (row?.looked ?? 0) < LOOK_AT }
}

const IS_TOKEN = `d.kind = 'EXCHANGE' and d.outcome = 'ALLOWED' and d.issued_expire_time > $2::timestamptz
        and not exists (select from revoked_tokens r where r.decision_id = d.id)
        and not exists (select from signing_keys k where k.kid = d.issued_key_id and k.state = 'REVOKED')`

const OF_IDENTITY: PreparedStatement = {
  name: 'count-tokens-of-identity',
  text: `
    with looked as (
      select verdict, ${IS_TOKEN} and d.identity_id = $4::uuid
          and coalesce(d.identity_revision, 0) >= coalesce($6::bigint,
            (select i.tokens_revoked_revision from workload_identities i where i.id = $4::uuid))
          and coalesce(d.identity_revision, 0) < coalesce($7::bigint, 9223372036854775807) as is_token
        from decisions d where d.identity = $5 and d.id >= $1::uuid order by d.id desc limit $3
    ), met as (
      select rule->>'id' as rule, count(*)::integer as tokens
        from looked, json_array_elements(verdict::json->'rules') rule
        where is_token and rule->>'met' = 'true' group by 1
    )
    select count(*)::integer as looked, (count(*) filter (where is_token))::integer as tokens,
        (select json_object_agg(rule, tokens) from met) as rules
      from looked`,
}

const OF_ISSUER: PreparedStatement = {
  name: 'count-tokens-of-issuer',
  text: `
    with looked as (
      select id, kind, outcome, issuer_url, issued_key_id, issued_expire_time, identity_id, identity_revision
        from decisions where id >= $1::uuid order by id desc limit $3
    )
    select count(*)::integer as looked,
        (count(*) filter (where ${IS_TOKEN} and d.issuer_url = $4
          and coalesce(d.identity_revision, 0) >= i.tokens_revoked_revision))::integer as tokens
      from looked d left join workload_identities i on i.id = d.identity_id`,
}
