import type { Clock } from '../clock.ts'
import { RequestError } from '../errors.ts'
import type { Finding, FindingGrade } from '../finding/finding.ts'

/** What an author knew of when saving, and why it may be so. */
export type Acknowledgement = {
  readonly reason: string
  /** RFC 3339. */
  readonly acknowledgeTime: string
  readonly findings: readonly Pick<Finding, 'code' | 'rule' | 'message'>[]
}

export type AcknowledgeDeps = {
  readonly clock: Clock
  /** From which grade on findings refuse a save. */
  readonly blockFindings: 'none' | 'critical' | 'warning'
}

const BLOCKED: Readonly<Record<AcknowledgeDeps['blockFindings'], readonly FindingGrade[]>> = {
  none: [],
  critical: ['CRITICAL'],
  warning: ['CRITICAL', 'WARNING'],
}

/**
 * What of an identity's findings is acknowledged once it is saved: what was before, as long as it says the same, and all
 * of them where a reason is given now. Throws `failed_precondition`, with the findings in its details, where one that
 * refuses a save is not among them.
 */
export function acknowledgeFindings(
  deps: AcknowledgeDeps,
  findings: readonly Finding[],
  former: readonly Acknowledgement[],
  reason: string | undefined,
): readonly Acknowledgement[] {
  if (reason !== undefined && findings.length > 0) {
    const acknowledgeTime = new Date(deps.clock()).toISOString()
    return [
      {
        reason,
        acknowledgeTime,
        findings: findings.map(({ code, rule, message }) => ({
          code,
          ...(rule !== undefined && { rule }),
          message,
        })),
      },
    ]
  }
  const blocking = findBlocking(deps, findings, former)
  if (blocking.length > 0) throw refusal(blocking, deps.blockFindings)
  return stillTrue(former, findings)
}

/** The findings that refuse a save which gives no reason: of a grade that does, and not acknowledged before as they are. */
export function findBlocking(
  { blockFindings }: Pick<AcknowledgeDeps, 'blockFindings'>,
  findings: readonly Finding[],
  former: readonly Acknowledgement[],
): readonly Finding[] {
  const known = former.flatMap((each) => each.findings)
  return findings.filter(
    (finding) =>
      BLOCKED[blockFindings].includes(finding.grade) && !known.some((each) => isSame(each, finding)),
  )
}

const SAVE_IT_ANYWAY =
  'save it all the same, give the reason in the parameter acknowledge, which is recorded.'

/** Says before a save that it would be refused, for what, and what lets it through. */
export function blockingNotices(
  { blockFindings }: Pick<AcknowledgeDeps, 'blockFindings'>,
  blocking: readonly Finding[],
): readonly string[] {
  if (blocking.length === 0) return []
  const named = blocking.map(({ code, rule }) => `${code}${rule === undefined ? '' : ` of rule '${rule}'`}`)
  return [
    `BLOCK_FINDINGS is ${blockFindings}, so a save is refused for ${named.join(', ')}: ` +
      `to ${SAVE_IT_ANYWAY}`,
  ]
}

/** What is acknowledged of an identity that is still so; nothing is asked. */
function stillTrue(
  former: readonly Acknowledgement[],
  findings: readonly Finding[],
): readonly Acknowledgement[] {
  return former
    .map((each) => ({
      ...each,
      findings: each.findings.filter((known) => findings.some((found) => isSame(known, found))),
    }))
    .filter((each) => each.findings.length > 0)
}

/** Whom it lets in is in the message: a rule that is made wider has to be acknowledged anew. */
function isSame(a: Acknowledgement['findings'][number], b: Acknowledgement['findings'][number]): boolean {
  return a.code === b.code && a.rule === b.rule && a.message === b.message
}

function refusal(blocking: readonly Finding[], blockFindings: string): RequestError {
  const [first] = blocking
  const more = blocking.length === 1 ? '' : ` (and ${blocking.length - 1} more)`
  return new RequestError(
    'failed_precondition',
    `BLOCK_FINDINGS is ${blockFindings}, and ${first?.code} is ${first?.grade}: ${first?.message}${more} ${first?.change} ` +
      `To ${SAVE_IT_ANYWAY}`,
    { details: [{ findings: blocking }] },
  )
}
