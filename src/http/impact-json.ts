import { z } from 'zod'
import type { Affected, Impact } from '../decision/measure-impact.ts'
import { verdictAnswer } from './decision-json.ts'

const affectedAnswer = z.strictObject({
  count: z.int(),
  decisions: z
    .array(
      z.strictObject({
        decision: z.string().meta({ description: '`decisions/` and its id.' }),
        kind: z.enum(['EXCHANGE', 'DRY_RUN', 'ACCESS']),
        identity: z.string().nullable(),
        subject: z.string().nullable(),
        decideTime: z.iso.datetime(),
        verdict: verdictAnswer.nullable().meta({ description: 'As it would be with the draft.' }),
        error: z.string().nullable().meta({ description: 'Why the draft gives no verdict.' }),
      }),
    )
    .meta({ description: 'The newest, 100 at most; count is of all.' }),
})

export const impactAnswer = z
  .strictObject({
    id: z.string().meta({ description: 'By it the draft is activated.' }),
    since: z.iso.datetime(),
    isComplete: z.boolean().meta({
      description: 'Whether all decisions since then were looked at: 100,000 at most, and for 45 s.',
    }),
    oldestDecision: z.string().nullable().meta({ description: 'How far back it looked.' }),
    replayed: z.int(),
    newlyAllowed: affectedAnswer,
    newlyDenied: affectedAnswer,
    rolesChanged: affectedAnswer.meta({ description: 'Allowed as before, with other roles.' }),
    errors: affectedAnswer,
    unchanged: z.int(),
    notReplayed: z.array(z.strictObject({ reason: z.string(), count: z.int() })).meta({
      description: 'Decisions on which no policy spoke, which no policy can change.',
    }),
    notices: z.array(z.string()).meta({ description: 'What these numbers do not tell.' }),
  })
  .meta({ id: 'Impact' })

export type MeasuredImpact = Impact & {
  readonly id: string
  readonly since: Date
  readonly notices: readonly string[]
}

export function impactJson(impact: MeasuredImpact) {
  return {
    id: impact.id,
    since: impact.since.toISOString(),
    isComplete: impact.isComplete,
    oldestDecision: impact.oldestId === undefined ? null : `decisions/${impact.oldestId}`,
    replayed: impact.replayed,
    newlyAllowed: affectedJson(impact.newlyAllowed),
    newlyDenied: affectedJson(impact.newlyDenied),
    rolesChanged: affectedJson(impact.rolesChanged),
    errors: affectedJson(impact.errors),
    unchanged: impact.unchanged,
    notReplayed: [...impact.notReplayed].sort().map(([reason, count]) => ({ reason, count })),
    notices: impact.notices,
  }
}

function affectedJson({ count, decisions }: Affected) {
  return {
    count,
    decisions: decisions.map(({ decision, verdict, cause }) => ({
      decision: `decisions/${decision.id}`,
      kind: decision.kind,
      identity: decision.identity,
      subject: decision.subject,
      decideTime: decision.decide_time.toISOString(),
      verdict,
      error: cause,
    })),
  }
}
