import { z } from 'zod'
import type { IdentityStore, WholeIdentity } from '../identity/identity-store.ts'
import type { Suggestions } from '../suggestion/suggestion.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { defineRoute, type Route } from './route.ts'
import { ruleOfIdentityAnswer } from './workload-identity-json.ts'

const DEFAULT_EXCHANGES = 1_000
const MAX_EXCHANGES = 5_000
const ANSWER_WITHIN_MS = 30_000
/** Less, so that what was found is answered. */
const LOOK_WITHIN_MS = 20_000

const time = z.iso.datetime()

const suggestionAnswer = z
  .strictObject({
    code: z.string().meta({ description: 'As in docs/changing-policies.md.' }),
    rule: z.string(),
    fields: z
      .array(z.string())
      .meta({ description: 'Those of the rule that change, as in `ids.projectIds`.' }),
    message: z.string().meta({ description: 'What its exchanges had in common.' }),
    change: z.string(),
    exchanges: z.int().meta({ description: 'How many it was made from, all of which it lets in.' }),
    sinceTime: time.meta({ description: 'When the first of these was decided.' }),
    edited: ruleOfIdentityAnswer.meta({ description: 'The rule as it would be, to be put in its place.' }),
  })
  .meta({ id: 'Suggestion' })

const answer = z
  .strictObject({
    leastExchanges: z.int().meta({ description: 'Of a rule with fewer nothing is suggested.' }),
    rules: z
      .array(z.strictObject({ rule: z.string(), exchanges: z.int(), sinceTime: time.nullable() }))
      .meta({
        description:
          'How many of the last allowed exchanges met each rule, disabled ones aside, and since when.',
      }),
    suggestions: z.array(suggestionAnswer),
    patch: z
      .strictObject({
        etag: z.string(),
        workloadIdentityConfig: z.strictObject({ rules: z.array(ruleOfIdentityAnswer) }),
      })
      .nullable()
      .meta({
        description: 'The body of a PATCH that makes all of them at once; null where there are none.',
      }),
    unused: z
      .strictObject({
        sinceTime: time,
        decisionsKept: z.boolean().meta({
          description: 'Whether the decisions since then were kept. If not, no rule is called unused.',
        }),
        oldestDecisionTime: time.nullable(),
        rules: z.array(z.strictObject({ rule: z.string(), title: z.string(), change: z.string() })),
      })
      .meta({ description: 'Rules that are older than 90 days and let nobody in since.' }),
    isComplete: z.boolean().meta({
      description:
        'Whether it looked at all that it had to: at 20,000 decisions for what rules have in common.',
    }),
  })
  .meta({ id: 'Suggestions' })

/** `GET /v1/workloadIdentities/{email}:suggestChanges?exchanges=N`: what its rules could ask for besides, from use. */
export function suggestChangesRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  leastExchanges: number
  suggestChanges: (identity: WholeIdentity, exchanges: number, signal: AbortSignal) => Promise<Suggestions>
}): Route {
  const { leastExchanges } = deps
  const bounds = `must be a whole number from ${leastExchanges} to ${MAX_EXCHANGES}`
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}:suggestChanges',
    group: 'Workload identities',
    summary: 'Suggest how an identity can be tightened, from what it let in, and which rules nobody uses.',
    access: 'claimgate.decisions.list',
    query: {
      exchanges: z
        .string()
        .regex(/^[1-9]\d{0,3}$/, bounds)
        .transform(Number)
        .refine((exchanges) => exchanges >= leastExchanges && exchanges <= MAX_EXCHANGES, bounds)
        .meta({
          description: `How many of each rule's last ones are looked at: ${DEFAULT_EXCHANGES} unless given.`,
          parameter: {
            type: 'integer',
            minimum: leastExchanges,
            maximum: MAX_EXCHANGES,
            default: DEFAULT_EXCHANGES,
          },
        }),
    },
    answer,
    refusals: { failed_precondition: { description: 'The identity is deleted.' } },
    answerWithinMs: ANSWER_WITHIN_MS,
    async handle({ params: { email = '' }, query, signal, note }) {
      note({ identity: email })
      const identity = await existingIdentity(deps.identities, email)
      const within = AbortSignal.timeout(LOOK_WITHIN_MS)
      const until = signal === undefined ? within : AbortSignal.any([signal, within])
      const found = await deps.suggestChanges(identity, query.exchanges ?? DEFAULT_EXCHANGES, until)
      return { body: { leastExchanges, ...suggestionsJson(identity, found) } }
    },
  })
}

function suggestionsJson(
  { revision }: WholeIdentity,
  { rules, suggestions, tightened, unused, isComplete }: Suggestions,
) {
  return {
    rules: rules.map(({ rule, exchanges, since }) => ({
      rule,
      exchanges,
      sinceTime: since?.toISOString() ?? null,
    })),
    suggestions: suggestions.map(({ since, ...suggestion }) => ({
      ...suggestion,
      sinceTime: since.toISOString(),
    })),
    patch: tightened === undefined ? null : { etag: revision, workloadIdentityConfig: { rules: tightened } },
    unused: {
      sinceTime: unused.since.toISOString(),
      decisionsKept: unused.decisionsKept,
      oldestDecisionTime: unused.oldestDecision?.toISOString() ?? null,
      rules: unused.rules.map(({ id, title }) => ({
        rule: id,
        title,
        change: `Take rule '${id}' out, or set its disabled to true.`,
      })),
    },
    isComplete,
  }
}
