import pg from 'pg'
import { openPostgresql } from '../src/db/postgresql.ts'
import {
  createDecisionStore,
  type DecisionFilter,
  type DecisionQuery,
} from '../src/decision/decision-store.ts'
import { createLog } from '../src/log.ts'

/** The months that the decisions lie in. */
const START = Date.UTC(2026, 5, 1)
const END = Date.UTC(2026, 11, 1)
const MONTHS = 6
/** One statement's rows; more would keep more in memory than they save. */
const ROWS_AT_ONCE = 100_000
const CONNECTIONS = 2

const BUSY = 'busy@workload.example.com'
const BUSY_PROJECT = 'acme/monolith'

/**
 * Fills a migrated database with decisions of about 1.7 kB over six months, skewed as life is: one identity and one
 * project have most of them, 3 % are refusals, few reasons are frequent, failures and dry runs are rare.
 */
export async function fillDecisions(url: string, rows: number): Promise<void> {
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: url }))
  await Promise.all(clients.map((client) => client.connect()))
  const [first] = clients
  await first?.query('select ensure_decision_partitions($1, $2)', [new Date(START), MONTHS - 1])
  let next = 0
  await Promise.all(
    clients.map(async (client) => {
      while (next < rows) {
        const from = next
        next += ROWS_AT_ONCE
        await client.query(FILL, [from, Math.min(next, rows) - 1, START, (END - START) / rows])
      }
    }),
  )
  await first?.query('vacuum (analyze) decisions')
  // Else what is measured next waits for the disk to take all this.
  await first?.query('checkpoint')
  await Promise.all(clients.map((client) => client.end()))
}

const FILL = `
  with numbered as (
    select n, $3::bigint + floor(n * $4::float8)::bigint as ms, md5(n::text) as a, md5(n::text || 'b') as b,
      -- A part in a million, and another that does not depend on it.
      ('x' || substr(md5(n::text || 'c'), 1, 8))::bit(32)::bigint % 1000000 as p,
      ('x' || substr(md5(n::text || 'd'), 1, 8))::bit(32)::bigint % 1000000 as q
    from generate_series($1::bigint, $2::bigint) n
  ), skewed as (
    select *,
      case when p < 970000 then 'allowed' when p < 990000 then 'condition_not_met' when p < 995000 then 'token_expired'
        when p < 998000 then 'token_signature' when p < 999000 then 'token_replayed' when p < 999500 then 'token_audience'
        when p < 999990 then 'identity_unknown' when p < 999998 then 'policy_timeout' else 'denied_by_guardrails' end as reason,
      case when q < 800000 or p >= 999998 then '${BUSY}' else 'id-' || q % 2000 || '@workload.example.com' end as email,
      case when q < 600000 then '${BUSY_PROJECT}' else 'acme/group-' || q % 50 || '/project-' || q % 5000 end as path
    from numbered
  )
  insert into decisions (id, kind, outcome, reason, identity, identity_id, issuer_url, subject, claims, verdict,
    policy_digest, subject_token_hash, subject_key_id, issued_key_id, issued_expire_time, decide_time, request_id,
    caller_ip, user_agent, project_path, project)
  select (lpad(to_hex(ms), 12, '0') || '7' || substr(a, 1, 3) || '8' || substr(a, 4, 15))::uuid,
    case when q % 5000 = 0 then 'DRY_RUN' else 'EXCHANGE' end,
    case when reason = 'allowed' then 'ALLOWED' when reason = 'policy_timeout' then 'FAILED' else 'DENIED' end,
    reason,
    -- Of one reason the busy identity has nothing at all.
    case when reason = 'token_audience' then 'id-' || q % 2000 || '@workload.example.com' else email end,
    md5(email)::uuid, 'https://gitlab.example.com', 'project_path:' || path || ':ref_type:branch:ref:main',
    json_build_object('iss', 'https://gitlab.example.com', 'sub', 'project_path:' || path || ':ref_type:branch:ref:main',
      'aud', 'https://claimgate.example.com', 'jti', a, 'iat', ms / 1000, 'exp', ms / 1000 + 3600, 'project_path', path,
      'project_id', (q % 5000)::text, 'namespace_path', 'acme', 'namespace_id', '72', 'ref', 'main', 'ref_type', 'branch',
      'ref_path', 'refs/heads/main', 'ref_protected', 'true', 'pipeline_id', n::text, 'pipeline_source', 'push',
      'job_id', (n * 3)::text, 'sha', a || substr(b, 1, 8), 'runner_id', 7, 'runner_environment', 'self-hosted',
      'ci_config_ref_uri', 'gitlab.example.com/' || path || '//.gitlab-ci.yml@refs/heads/main', 'ci_config_sha', b)::text,
    json_build_object('allow', reason = 'allowed', 'rules', json_build_array(json_build_object('id', 'deploy', 'title',
      'Deploy from main', 'met', true, 'conditions', json_build_object(
        'group', json_build_object('claim', 'namespace_path', 'expected', 'acme', 'actual', 'acme', 'met', true),
        'project', json_build_object('claim', 'project_path', 'expected', path, 'actual', path, 'met', true),
        'ref', json_build_object('claim', 'ref', 'expected', 'main', 'actual', 'main', 'met', true)))),
      'conditions', json_build_array(), 'guardrails', json_build_array(), 'roles', json_build_array())::text,
    'sha256:' || md5(email) || md5(email), decode(a || b, 'hex'), 'their-key',
    case when reason = 'allowed' then 'our-key' end, case when reason = 'allowed' then to_timestamp(ms / 1000 + 3600) end,
    to_timestamp(ms / 1000.0), a::uuid::text, '198.51.100.' || q % 250, 'curl/8.5.0', path,
    case when q % 100 = 7 then 'payments' end
  from skewed`

/** How long one page took: the best and the worst of some tries, from the call to its rows. */
export type PageTime = {
  readonly query: string
  readonly pageSize: number
  readonly rows: number
  readonly bestMs: number
  readonly worstMs: number
}

const TRIES = 5
const PAGE_SIZES = [10, 1000]

/** Reads pages of a database that `fillDecisions` filled: every filter, and what combinations are worst. */
export async function measurePages(url: string): Promise<readonly PageTime[]> {
  const db = openPostgresql(url, createLog('silent'))
  const decisions = createDecisionStore(db)
  const times: PageTime[] = []
  for (const [query, filter] of Object.entries(QUERIES)) {
    for (const pageSize of PAGE_SIZES) {
      const tries: number[] = []
      let rows = 0
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const begun = performance.now()
        rows = (await decisions.list({ ...filter, limit: pageSize + 1 })).length
        tries.push(performance.now() - begun)
      }
      times.push({ query, pageSize, rows, bestMs: Math.min(...tries), worstMs: Math.max(...tries) })
    }
  }
  await db.close()
  return times
}

const EARLY = Date.UTC(2026, 5, 2)
const MIDDLE = Date.UTC(2026, 8, 15)

const QUERIES: Readonly<Record<string, DecisionFilter & Pick<DecisionQuery, 'before' | 'oldestFirst'>>> = {
  'no filter': {},
  'the last page': { until: EARLY },
  'since far back': { since: EARLY },
  'an hour in the middle': { since: MIDDLE, until: MIDDLE + 3_600_000 },
  'before all': { until: START },
  'the busy identity': { identity: BUSY },
  'a quiet identity': { identity: 'id-7@workload.example.com' },
  'an identity that is none': { identity: 'nobody@workload.example.com' },
  'outcome ALLOWED': { outcome: 'ALLOWED' },
  'outcome DENIED': { outcome: 'DENIED' },
  'outcome FAILED': { outcome: 'FAILED' },
  'a frequent reason': { reason: 'condition_not_met' },
  'a rare reason': { reason: 'denied_by_guardrails' },
  'a reason that nobody has': { reason: 'policy_memory' },
  'reason allowed': { reason: 'allowed' },
  'kind EXCHANGE': { kind: 'EXCHANGE' },
  'kind DRY_RUN': { kind: 'DRY_RUN' },
  'kind ACCESS, which there is none of': { kind: 'ACCESS' },
  'the busy project path': { projectPath: BUSY_PROJECT },
  'a quiet project path': { projectPath: 'acme/group-7/project-7' },
  'a project path that is none': { projectPath: 'acme/none' },
  'a project': { project: 'payments' },
  'a project with none': { project: 'empty' },
  'the busy identity, a rare reason': { identity: BUSY, reason: 'denied_by_guardrails' },
  'the busy identity, a reason it never had': { identity: BUSY, reason: 'token_audience' },
  'the busy identity, FAILED': { identity: BUSY, outcome: 'FAILED' },
  'the busy identity, DENIED': { identity: BUSY, outcome: 'DENIED' },
  'the busy identity, ALLOWED': { identity: BUSY, outcome: 'ALLOWED' },
  'the busy identity, DENIED in the middle': { identity: BUSY, outcome: 'DENIED', until: MIDDLE },
  'the busy identity, the last page': { identity: BUSY, until: EARLY },
  'the busy identity, DRY_RUN': { identity: BUSY, kind: 'DRY_RUN' },
  'the busy identity, a quiet project path': { identity: BUSY, projectPath: 'acme/group-7/project-7' },
  'a quiet identity, the busy project path': {
    identity: 'id-7@workload.example.com',
    projectPath: BUSY_PROJECT,
  },
  'the busy project path, a rare reason': { projectPath: BUSY_PROJECT, reason: 'denied_by_guardrails' },
  'the busy project path, FAILED': { projectPath: BUSY_PROJECT, outcome: 'FAILED' },
  'a project, a rare reason': { project: 'payments', reason: 'denied_by_guardrails' },
  'the busy identity in a project with none': { identity: BUSY, project: 'empty' },
  'ALLOWED for a reason that denies': { outcome: 'ALLOWED', reason: 'condition_not_met' },
  'FAILED for a reason that denies': { outcome: 'FAILED', reason: 'condition_not_met' },
  'everything at once': {
    identity: BUSY,
    outcome: 'DENIED',
    reason: 'condition_not_met',
    kind: 'EXCHANGE',
    projectPath: BUSY_PROJECT,
    since: EARLY,
    until: MIDDLE,
  },
  'oldest first': { oldestFirst: true },
  'the busy identity, a rare reason, oldest first': {
    identity: BUSY,
    reason: 'denied_by_guardrails',
    oldestFirst: true,
  },
}
