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
  { clock, blockFindings }: AcknowledgeDeps,
  findings: readonly Finding[],
  former: readonly Acknowledgement[],
  reason: string | undefined,
): readonly Acknowledgement[] {
  if (reason !== undefined && findings.length > 0) {
    const acknowledgeTime = new Date(clock()).toISOString()
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
  const kept = stillTrue(former, findings)
  const known = kept.flatMap((each) => each.findings)
  const blocking = findings.filter(
    (finding) =>
      BLOCKED[blockFindings].includes(finding.grade) && !known.some((each) => isSame(each, finding)),
  )
  if (blocking.length > 0) throw refusal(blocking, blockFindings)
  return kept
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
      'To save it all the same, give the reason in the parameter acknowledge, which is recorded.',
    { details: [{ findings: blocking }] },
  )
}
