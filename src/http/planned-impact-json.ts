import { z } from 'zod'
import type { ReplayableDecision } from '../decision/decision-store.ts'
import type { Impact } from '../decision/measure-impact.ts'
import { impactAnswer } from './impact-json.ts'

const affected = z.strictObject({
  count: z.int(),
  decisions: z
    .array(
      z.strictObject({
        decision: z.string().meta({ description: '`decisions/` and its id.' }),
        identity: z.string().nullable(),
        subject: z.string().nullable(),
        decideTime: z.iso.datetime(),
        explanation: z.string().meta({ description: 'What would be met, or not.' }),
      }),
    )
    .meta({ description: 'The newest, 3 at most; count is of all.' }),
})

const { since, oldestDecision, replayed, unchanged, notReplayed, notices } = impactAnswer.shape

export const plannedImpactAnswer = z
  .strictObject({
    since,
    isComplete: z.boolean().meta({
      description: 'Whether all decisions since then were looked at: what is planned together shares a time.',
    }),
    oldestDecision,
    oldestDecideTime: z.iso.datetime().nullable().meta({ description: 'Of that one.' }),
    replayed,
    newlyAllowed: affected,
    newlyDenied: affected,
    rolesChanged: affected.meta({ description: 'Allowed as before, with other roles.' }),
    errors: affected.meta({ description: 'On which the policy would give no verdict.' }),
    unchanged,
    notReplayed,
    notices,
  })
  .meta({ id: 'PlannedImpact', description: 'What recorded decisions would have come to.' })

export type PlannedAffected = {
  readonly count: number
  readonly decisions: readonly { readonly decision: ReplayableDecision; readonly explanation: string }[]
}

const AFFECTED = ['newlyAllowed', 'newlyDenied', 'rolesChanged', 'errors'] as const

export type PlannedImpact = Omit<Impact, (typeof AFFECTED)[number]> &
  Readonly<Record<(typeof AFFECTED)[number], PlannedAffected>> & {
    readonly since: Date
    readonly oldestTime: Date | undefined
    readonly notices: readonly string[]
  }

export function plannedImpactJson(impact: PlannedImpact) {
  const { oldestId, oldestTime, notReplayed } = impact
  return {
    since: impact.since.toISOString(),
    isComplete: impact.isComplete,
    oldestDecision: oldestId === undefined ? null : `decisions/${oldestId}`,
    oldestDecideTime: oldestTime?.toISOString() ?? null,
    replayed: impact.replayed,
    ...Object.fromEntries(AFFECTED.map((kind) => [kind, affectedJson(impact[kind])])),
    unchanged: impact.unchanged,
    notReplayed: [...notReplayed].sort().map(([reason, count]) => ({ reason, count })),
    notices: impact.notices,
  }
}

function affectedJson({ count, decisions }: PlannedAffected) {
  return {
    count,
    decisions: decisions.map(({ decision, explanation }) => ({
      decision: `decisions/${decision.id}`,
      identity: decision.identity,
      subject: decision.subject,
      decideTime: decision.decide_time.toISOString(),
      explanation,
    })),
  }
}
