import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { z } from 'zod'
import { openDatabase } from '../db/open-database.ts'
import { decisionParameters, readDecisionFilter } from '../decision/decision-filter.ts'
import { createDecisionStore } from '../decision/decision-store.ts'
import { type Difference, type VerifyQuery, verifyDecisions } from '../decision/verify-decisions.ts'
import { createBatchEvaluator } from '../policy/evaluate-batches.ts'
import { createPolicyStore } from '../policy/policy-store.ts'
import { COULD_NOT_RUN, DONE, FOUND_SOMETHING, type ServiceCommand } from './command.ts'
import { createProgressBar } from './progress-bar.ts'
import { readFlags } from './read-flags.ts'

/** Whether there are more than so many is asked in one statement. */
const MAX_SAMPLE = 1_000_000

const parameters = {
  since: decisionParameters.since,
  until: decisionParameters.until,
  identity: decisionParameters.identity,
  sample: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a whole number from 1 on')
    .transform(Number)
    .refine((sample) => sample <= MAX_SAMPLE, `must be at most ${MAX_SAMPLE}: leave it out to verify all`),
  after: z.uuid('must be the id of a decision'),
}

/** What would not end by itself in ten times the service's limit does not end. */
const DEADLINE_MS = 1_000
/** In all threads together, some 800 MB at most: more policies in turn than these are loaded again and again. */
const MAX_POLICIES = 1_500
/** Further ones are counted: whoever has so many differences needs another tool than a list. */
const MAX_SHOWN = 1_000

/**
 * How much of a function is run, in bytes of code, before V8 compiles it to faster code: 13 million by default, which a
 * policy reaches within a hundred decisions. That takes as long as three hundred, and few policies have so many.
 */
const TIERING_BUDGET = 1_000_000_000

/** `claimgate decisions verify`: do the policies of recorded decisions still say what was recorded? They must. */
export const verifyDecisionsCommand: ServiceCommand = {
  usage: '[OPTIONS]',
  does: 'has recorded decisions judged again by the policies that they name, and tells which come out differently',
  options: [
    ['--since TIME', 'none from before it, as in 2026-11-25T08:00:00Z'],
    ['--until TIME', 'only from before it'],
    ['--identity EMAIL', 'those that were asked for this identity'],
    ['--sample N', 'at most so many, spread evenly over the time'],
    ['--after ID', 'only those after this decision: how one that was interrupted is gone on with'],
    ['--json', 'what was found as JSON'],
  ],
  flags: {
    ...Object.fromEntries(Object.keys(parameters).map((name) => [name, { type: 'string' as const }])),
    json: { type: 'boolean' },
  },
  async run({ config, log, flags }) {
    const { sample, after, ...given } = readFlags(parameters, flags)
    const query = { ...readDecisionFilter({ ...NO_FILTER, ...given }), sample, after }
    const db = await openDatabase(config, { migrate: false, log })
    const policies = createPolicyStore(db)
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
    const workers = availableParallelism()
    const evaluator = createBatchEvaluator({
      loadCode: policies.loadCode,
      log,
      workers,
      deadlineMs: DEADLINE_MS,
      maxPolicies: Math.ceil(MAX_POLICIES / workers),
    })
    const deps = { ...policies, ...evaluator, decisions: createDecisionStore(db) }
    try {
      const found = await verify(deps, query, flags.json === true ? () => undefined : tell)
      if (flags.json === true) process.stdout.write(`${JSON.stringify(json(found))}\n`)
      else process.stdout.write(summary(found))
      if (found.differences > 0) return FOUND_SOMETHING
      return found.isInterrupted ? COULD_NOT_RUN : DONE
    } finally {
      await evaluator.close()
      await db.close()
    }
  },
}

const NO_FILTER = {
  since: undefined,
  until: undefined,
  identity: undefined,
  outcome: undefined,
  reason: undefined,
  kind: undefined,
  project: undefined,
  resource: undefined,
}

type Found = {
  verified: number
  withoutVerdict: number
  differences: number
  readonly shown: Difference[]
  /** The last decision of those that were verified whole. */
  lastId: string | undefined
  isInterrupted: boolean
}

async function verify(
  deps: Parameters<typeof verifyDecisions>[0],
  query: VerifyQuery,
  onDifference: (difference: Difference) => void,
): Promise<Found> {
  const found: Found = {
    verified: 0,
    withoutVerdict: 0,
    differences: 0,
    shown: [],
    lastId: query.after,
    isInterrupted: false,
  }
  const progress = createProgressBar(process.stderr)
  const interrupt = () => {
    found.isInterrupted = true
  }
  for (const name of SIGNALS) process.on(name, interrupt)
  try {
    for await (const step of verifyDecisions(deps, query)) {
      found.verified += step.verified
      found.withoutVerdict += step.withoutVerdict
      found.differences += step.differences.length
      found.lastId = step.lastId
      for (const difference of step.differences) {
        if (found.shown.length >= MAX_SHOWN) break
        found.shown.push(difference)
        onDifference(difference)
      }
      progress.show(`${counted(found.verified, 'decision')}, ${found.differences} different`, step.share)
      if (found.isInterrupted && step.share < 1) return found
    }
    found.isInterrupted = false
    return found
  } finally {
    progress.end()
    for (const name of SIGNALS) process.off(name, interrupt)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function tell({ decision, message }: Difference): void {
  const { id, identity, decide_time, policy_digest } = decision
  process.stdout.write(
    `decisions/${id} (${identity}, ${decide_time.toISOString()}): ${message} [${policy_digest}]\n`,
  )
}

function summary({ verified, withoutVerdict, differences, shown, lastId, isInterrupted }: Found): string {
  const rest = withoutVerdict === 0 ? '' : ` ${counted(withoutVerdict, 'decision')} had no verdict to verify.`
  const more = differences > shown.length ? ` The first ${shown.length} are shown.` : ''
  const goOn = lastId === undefined ? '' : ` Go on with --after ${lastId}`
  if (verified + withoutVerdict === 0 && !isInterrupted) return 'There is no such decision.\n'
  return (
    `Verified ${counted(verified, 'decision')}: ${differences === 0 ? 'all' : verified - differences} as recorded, ` +
    `${differences} different.${more}${rest}\n${isInterrupted ? `It was interrupted.${goOn}\n` : ''}`
  )
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** `lastDecision`: what comes after it is left to do where it is not complete. */
function json(found: Found) {
  return {
    verified: found.verified,
    withoutVerdict: found.withoutVerdict,
    different: found.differences,
    isComplete: !found.isInterrupted,
    lastDecision: found.lastId === undefined ? null : `decisions/${found.lastId}`,
    differences: found.shown.map(({ decision, replayed, message }) => ({
      decision: `decisions/${decision.id}`,
      identity: decision.identity,
      decideTime: decision.decide_time.toISOString(),
      policyDigest: decision.policy_digest,
      message,
      recorded: parsed(decision.verdict),
      replayed: parsed(replayed),
    })),
  }
}

/** A verdict that somebody changed may be no JSON any more, or gone. */
function parsed(verdict: string | null): unknown {
  if (verdict === null) return null
  try {
    return JSON.parse(verdict)
  } catch {
    return verdict
  }
}
