import type { Database, PreparedStatement } from '../db/database.ts'
import { sqlState } from '../db/database-fault.ts'
import { unavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import { ACCESS_INSERT, accessCurrent, toAccessRow } from './access-row.ts'
import type {
  AccessDecision,
  AllowedDecision,
  Decision,
  DryRun,
  Outcomes,
  Recorded,
  RefusedDecision,
  Settled,
} from './decision.ts'
import { DECIDED_ON, IS_CURRENT, recordset } from './recordset.ts'

/**
 * Resolves after the commit, with what came of the decision: an allowed one whose token was used before comes back as
 * DENIED `token_replayed`, and undefined means that it was made on a revision which is no longer current, or names a
 * signing key that does not sign any more.
 * Throws `unavailable` where recording failed or nobody knows: then nothing may be signed.
 */
export type RecordDecision = <D extends AnyDecision>(
  decision: D,
  options?: RecordOptions,
) => Promise<Outcomes<D> | undefined>

type AnyDecision = Decision | DryRun | AccessDecision

export type RecordOptions = {
  /**
   * Of `performance.now()`: what has not been handed to the database by then is given up, so that no token is used up
   * for an answer that nobody waits for any more.
   */
  readonly recordBy?: number
  /** False: where it is a refusal, its revisions are checked all the same, but it gets no row of its own. */
  readonly keepRefusal?: boolean
}

/** Larger statements gain little (8,600 rows/s at 32, measured) and make everybody in them wait for the last. */
const MAX_BATCH = 64
/** Of claims and verdicts in one statement, so that large ones do not make it run into its time limit. */
const MAX_BATCH_CHARACTERS = 1_000_000
/** So many wait before another statement begins beside the one in flight: fewer are not worth a commit of their own. */
const WORTH_A_STATEMENT = 28
/** With one, 64 callers came to wait for the database together and then for the processor (15 % less, measured). */
const MAX_STATEMENTS = 2
/** What may wait behind the statements in flight: about a third of a second's work. */
const MAX_QUEUE = 2_000

type Deps = {
  readonly db: Database
  readonly log: Log
  /** Told how many decisions a statement is about to record. */
  readonly onBatch?: (size: number) => void
}
type Asked<D extends AnyDecision = AnyDecision> = { readonly decision: D; readonly keepRefusal: boolean }
type Waiting = Asked & {
  readonly recordBy: number
  readonly resolve: (settled: Outcomes<AnyDecision> | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Records decisions; those that wait together share one statement and one commit.
 * While a statement is in flight, what arrives makes up the next, which begins when that one ends or enough have
 * gathered for a second beside it; so a lone decision never waits for a timer.
 */
export function createDecisionRecorder(deps: Deps): RecordDecision {
  const queue: Waiting[] = []
  let running = 0

  async function drain(): Promise<void> {
    running++
    while (queue.length > 0) await recordBatch(deps, withoutTheLate(takeBatch(queue)))
    running--
  }

  return <D extends AnyDecision>(decision: D, options: RecordOptions = {}) => {
    const { recordBy = Number.POSITIVE_INFINITY, keepRefusal = true } = options
    // What a decision of this type may become is known to its caller alone.
    type Settle = (settled: Outcomes<AnyDecision> | undefined) => void
    if (!keepRefusal && standsOnNothing(decision))
      return Promise.resolve({ ...decision, hasRow: false } as Outcomes<D>)
    if (queue.length >= MAX_QUEUE)
      return Promise.reject(unavailable('Too many requests wait for the database.'))
    return new Promise<Outcomes<D> | undefined>((resolve, reject) => {
      queue.push({ decision, keepRefusal, recordBy, resolve: resolve as Settle, reject })
      if (running === 0 || (running < MAX_STATEMENTS && queue.length >= WORTH_A_STATEMENT)) void drain()
    })
  }
}

/** A token that named no registered issuer was refused for nothing that is stored, so nothing can be out of date. */
function standsOnNothing({ decidedOn, issuerUrl }: AnyDecision): boolean {
  return decidedOn.identityRevision === undefined && issuerUrl === null
}

function takeBatch(queue: Waiting[]): readonly Waiting[] {
  let characters = 0
  const tooMany = queue.findIndex((waiting, index) => {
    const { claims, verdict } = textsOf(waiting)
    characters += (claims?.length ?? 0) + (verdict?.length ?? 0)
    return index === MAX_BATCH || (index > 0 && characters > MAX_BATCH_CHARACTERS)
  })
  return queue.splice(0, tooMany === -1 ? queue.length : tooMany)
}

function withoutTheLate(batch: readonly Waiting[]): readonly Waiting[] {
  const now = performance.now()
  const [inTime, late] = [[] as Waiting[], [] as Waiting[]]
  for (const waiting of batch) (now > waiting.recordBy ? late : inTime).push(waiting)
  for (const { reject } of late) reject(unavailable('The database took too long; retry the job.'))
  return inTime
}

/** Never rejects: each decision of the batch is answered by itself. */
async function recordBatch(deps: Deps, batch: readonly Waiting[]): Promise<void> {
  if (batch.length === 0) return
  deps.onBatch?.(batch.length)
  try {
    settle(batch, await insertAndRetryDeadlock(deps.db, batch))
  } catch (error) {
    // The database's word on a statement is about its rows; that it does not answer is nobody's row.
    if (batch.length > 1 && sqlState(error) !== undefined) return recordOneByOne(deps, batch)
    fail(deps, batch, error)
  }
}

/** One row that the database refuses must not take others with it; a fault of the database as a whole ends them all. */
async function recordOneByOne(deps: Deps, batch: readonly Waiting[]): Promise<void> {
  for (const [index, waiting] of batch.entries()) {
    try {
      settle([waiting], await insertAndRetryDeadlock(deps.db, [waiting]))
    } catch (error) {
      if (sqlState(error) === undefined) return fail(deps, batch.slice(index), error)
      fail(deps, [waiting], error)
    }
  }
}

async function insertAndRetryDeadlock(
  db: Database,
  batch: readonly Waiting[],
): Promise<readonly SettledRow[]> {
  const { statement, values } = statementFor(batch)
  try {
    return await db.run<SettledRow>(statement, values)
  } catch (error) {
    if (sqlState(error) !== DEADLOCK_DETECTED) throw error
    return db.run<SettledRow>(statement, values)
  }
}

/** Each kind of batch has its own, which does no more than it must. */
function statementFor(batch: readonly Waiting[]): {
  statement: PreparedStatement
  values: readonly string[]
} {
  const access = batch.flatMap(({ decision }) => (decision.kind === 'ACCESS' ? toAccessRow(decision) : []))
  if (access.length === batch.length) return { statement: RECORD_ACCESS, values: [JSON.stringify(access)] }
  const exchanges = batch.filter(isOfExchange)
  const rows = JSON.stringify(exchanges.map(toRow))
  if (access.length > 0) return { statement: RECORD_ALL, values: [rows, JSON.stringify(access)] }
  const onlyKept = exchanges.every(({ decision, keepRefusal }) => keepRefusal && decision.kind === 'EXCHANGE')
  return { statement: onlyKept ? RECORD : RECORD_SOME, values: [rows] }
}

function isOfExchange(asked: Asked): asked is Asked<Decision | DryRun> & Waiting {
  return asked.decision.kind !== 'ACCESS'
}

function settle(batch: readonly Waiting[], rows: readonly SettledRow[]): void {
  const settled = new Map(rows.map((row) => [row.id, row]))
  for (const { decision, resolve } of batch) {
    const row = settled.get(decision.id)
    resolve(row && settledAs(decision, row))
  }
}

function settledAs(decision: AnyDecision, row: SettledRow): Outcomes<AnyDecision> {
  const hasRow = row.has_row
  if (decision.kind !== 'EXCHANGE') return { ...decision, hasRow }
  if (row.reason === 'token_replayed')
    return { ...decision, outcome: 'DENIED', reason: 'token_replayed', hasRow }
  return { ...decision, hasRow } as Recorded<AllowedDecision> | Settled<RefusedDecision>
}

function fail(deps: Deps, batch: readonly Waiting[], error: unknown): void {
  // The row may be there all the same, and then this token is used up: only another job gets another one.
  for (const { reject } of batch)
    reject(unavailable('The decision could not be recorded; retry the job.', error))
  const { message, cause } = error as Error
  deps.log.error(
    { decisions: batch.length, error: message, cause: String(cause ?? '') },
    'decisions were not recorded',
  )
}

const DEADLOCK_DETECTED = '40P01'

type SettledRow = { readonly id: string; readonly reason: string; readonly has_row: boolean }

/** The decision's columns as `json_to_recordset` reads them, named alike in the table. */
const COLUMNS = {
  id: 'uuid',
  kind: 'text',
  identity: 'text',
  identity_id: 'uuid',
  issuer_url: 'text',
  subject: 'text',
  claims: 'text',
  verdict: 'text',
  policy_digest: 'text',
  guardrails_digest: 'text',
  subject_key_id: 'text',
  decide_time: 'timestamptz',
  request_id: 'text',
  caller_ip: 'text',
  user_agent: 'text',
  project_path: 'text',
  project: 'text',
  identity_revision: 'bigint',
} as const

/** What the statement needs beside the columns: to check revisions, to claim the token, to say what was issued. */
const INSTRUCTIONS = {
  keep_refusal: 'boolean',
  outcome: 'text',
  reason: 'text',
  subject_token_hash: 'text',
  check_identity: 'boolean',
  project_revision: 'bigint',
  issuer_revision: 'bigint',
  guardrails_revision: 'bigint',
  jti_hash: 'text',
  keep_until: 'timestamptz',
  issued_key_id: 'text',
  issued_expire_time: 'timestamptz',
} as const

type Row = Record<keyof typeof COLUMNS | keyof typeof INSTRUCTIONS, string | boolean | null>

const columnNames = Object.keys(COLUMNS).join(', ')

/**
 * Decisions made on revisions that are no longer current, or to be signed by a key that does not sign any more, are left
 * out; of those that claim the same token one stays allowed, of dry runs of one token for one identity the first gets a
 * row. Claims are made in one order everywhere, or two instances would deadlock.
 */
const decided = (explains: boolean) => `
    with asked as (
      select * from ${recordset('$1', { ...COLUMNS, ...INSTRUCTIONS })}
    ), current as (
      select a.* from asked a ${DECIDED_ON}
        cross join guardrails g
      where ${IS_CURRENT}
        and (a.guardrails_revision is null or g.revision = a.guardrails_revision)
        and (a.issued_key_id is null
          or a.issued_key_id = (select kid from signing_keys where state = 'ACTIVE'))
    ), claimed as (
      insert into used_tokens (issuer_url, jti_hash, decision_id, use_time, keep_until)
      select issuer_url, decode(jti_hash, 'hex'), id, decide_time, keep_until from current
        where jti_hash is not null order by issuer_url, jti_hash
      on conflict do nothing
      returning decision_id
    ), ${explains ? EXPLAINED : ''} claims_made as (
      select current.*, jti_hash is not null and claimed.decision_id is null as replayed,
          ${explains ? "kind <> 'DRY_RUN' or explained.decision_id is not null" : 'true'} as is_first
        from current
          left join claimed on claimed.decision_id = current.id
          ${explains ? 'left join explained on explained.decision_id = current.id' : ''}
    ), decided as (
      select claims_made.*, case when replayed then 'token_replayed' else reason end as final_reason,
          is_first and (keep_refusal or outcome = 'ALLOWED' and not replayed) as has_row
        from claims_made
    )`
const EXPLAINED = `explained as (
      insert into explained_tokens (identity, token_hash, decision_id, keep_until)
      select identity, decode(subject_token_hash, 'hex'), id, keep_until from current
        where kind = 'DRY_RUN' and (keep_refusal or outcome = 'ALLOWED') order by identity, subject_token_hash
      on conflict do nothing
      returning decision_id
    ),`
const INSERT = `
      insert into decisions (${columnNames}, outcome, reason, subject_token_hash, issued_key_id, issued_expire_time)
      select ${columnNames},
        case when replayed then 'DENIED' else outcome end,
        final_reason,
        decode(subject_token_hash, 'hex'),
        case when not replayed then issued_key_id end,
        case when not replayed then issued_expire_time end
      from decided where has_row`

/** For exchanges that all get a row. */
const RECORD: PreparedStatement = {
  name: 'record-decisions',
  text: `${decided(false)} ${INSERT} returning id, reason, true as has_row`,
}
/** For decisions of which some may get none: those are answered too. */
const RECORD_SOME: PreparedStatement = {
  name: 'record-some-decisions',
  text: `${decided(true)}, inserted as (${INSERT}) select id, final_reason as reason, has_row from decided`,
}

/** For access decisions, which claim and explain nothing. */
const RECORD_ACCESS: PreparedStatement = {
  name: 'record-access-decisions',
  text: `with ${accessCurrent('$1')} ${ACCESS_INSERT}`,
}
/** For any, so that all of a batch share one commit. */
const RECORD_ALL: PreparedStatement = {
  name: 'record-all-decisions',
  text: `${decided(true)}, inserted as (${INSERT}), ${accessCurrent('$2')}, access_inserted as (${ACCESS_INSERT})
    select id, final_reason as reason, has_row from decided
    union all select id, reason, has_row from access_inserted`,
}

/** What is surely refused without a row is only held against the revisions: its texts need not make the way. */
function textsOf({ decision, keepRefusal }: Asked) {
  const mayGetRow = keepRefusal || decision.outcome === 'ALLOWED'
  return mayGetRow ? decision : { claims: null, verdict: null }
}

function toRow(asked: Asked<Decision | DryRun>): Row {
  const { decision, keepRefusal } = asked
  const { claims, verdict } = textsOf(asked)
  const allowed = decision.kind === 'EXCHANGE' && decision.outcome === 'ALLOWED' ? decision : undefined
  const keepUntil = decision.kind === 'DRY_RUN' ? decision.keepUntil : allowed?.singleUse?.keepUntil
  return {
    id: decision.id,
    kind: decision.kind,
    identity: decision.identity,
    identity_id: decision.identityId,
    issuer_url: decision.issuerUrl,
    subject: decision.subject,
    claims,
    verdict,
    policy_digest: decision.policyDigest,
    guardrails_digest: decision.guardrailsDigest,
    subject_key_id: decision.subjectKeyId,
    decide_time: timestamp(decision.decideTime),
    request_id: decision.requestId,
    caller_ip: decision.callerIp,
    user_agent: decision.userAgent,
    project_path: decision.projectPath,
    project: decision.project,
    keep_refusal: keepRefusal,
    outcome: decision.outcome,
    reason: decision.reason,
    subject_token_hash: decision.subjectTokenHash,
    check_identity: decision.decidedOn.identityRevision !== undefined,
    identity_revision: decision.decidedOn.identityRevision ?? null,
    project_revision: decision.decidedOn.projectRevision,
    issuer_revision: decision.decidedOn.issuerRevision,
    guardrails_revision: decision.decidedOn.guardrailsRevision,
    jti_hash: allowed?.singleUse?.jtiHash ?? null,
    keep_until: keepUntil === undefined ? null : timestamp(keepUntil),
    issued_key_id: allowed?.grant.keyId ?? null,
    issued_expire_time: allowed ? timestamp(allowed.grant.expireTime * 1000) : null,
  }
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
