import type { WholeIdentity } from '../identity/identity-store.ts'
import type { BatchEvaluator } from '../policy/evaluate-batches.ts'
import type { EvaluationResult } from '../policy/evaluation.ts'
import type { PolicyTest, TestResult } from './policy-test.ts'
import { inputOfTest, type JudgeTestsDeps, resultOfTest, type TestSubject } from './run-policy-tests.ts'

export type FindFailingTestsDeps = JudgeTestsDeps & {
  readonly evaluate: BatchEvaluator['evaluate']
  /** Some of the identities that have tests, those after an internal id. */
  readonly listTested: (query: {
    readonly after: string | undefined
    readonly limit: number
  }) => Promise<readonly WholeIdentity[]>
}

/** Guardrails by their digests; null: there are none. */
export type GuardrailsDigests = { readonly before: string | null; readonly after: string | null }

/** Identities whose stored tests come out otherwise, and not as they expect, beside other guardrails. */
export type FailingTests = {
  /** How many identities with tests were looked at. */
  looked: number
  /** How many have tests that would fail, and the first of them. */
  count: number
  readonly identities: {
    readonly email: string
    readonly tests: readonly Pick<TestResult, 'title' | 'message'>[]
  }[]
  /** Whether all were looked at that there are. */
  isComplete: boolean
}

/** Of each kind: what counts is how many there are, and what the first look like. */
const MAX_IDENTITIES = 20
const MAX_TESTS = 5
/** Identities in a page: some thousand tests. */
const PAGE = 100

type Suspect = { readonly test: PolicyTest; readonly input: string }

/**
 * Which identities' stored tests fail once the guardrails are others, until the signal ends the search. Guardrails are
 * asked alone first, before and after: where both say the same of a test nothing can come of it, so that most policies
 * need not be loaded. Identities that `isLeftOut` names are passed over.
 */
export async function findFailingTests(
  deps: FindFailingTestsDeps,
  guardrails: GuardrailsDigests,
  { signal, isLeftOut }: { readonly signal: AbortSignal; readonly isLeftOut: (email: string) => boolean },
): Promise<FailingTests> {
  const found: FailingTests = { looked: 0, count: 0, identities: [], isComplete: false }
  const search = async () => {
    for (let after: string | undefined; ; ) {
      const page = await deps.listTested({ after, limit: PAGE })
      after = page.at(-1)?.id
      if (after === undefined) return true
      if (signal.aborted) return false
      await lookAt(
        deps,
        guardrails,
        page.filter(({ email }) => !isLeftOut(email)),
        found,
      )
      if (signal.aborted) return false
    }
  }
  // What is ended is rejected; what was found until then stands.
  const isComplete = await search().catch((error: unknown) => {
    if (signal.aborted) return false
    throw error
  })
  return { ...found, isComplete }
}

async function lookAt(
  deps: FindFailingTestsDeps,
  guardrails: GuardrailsDigests,
  identities: readonly WholeIdentity[],
  found: FailingTests,
): Promise<void> {
  const asked = identities.map((identity) => {
    const subject = subjectOf(identity)
    return {
      identity,
      subject,
      tests: identity.tests.map((test) => ({ test, input: inputOfTest(deps, subject, test) })),
    }
  })
  const inputs = asked.flatMap(({ tests }) => tests.map(({ input }) => input))
  const [before, after] = await Promise.all(
    [guardrails.before, guardrails.after].map((digest) => allows(deps, digest, inputs)),
  )
  let place = 0
  for (const { identity, subject, tests } of asked) {
    const suspects = tests.filter(() => {
      const index = place++
      return before?.[index] !== after?.[index]
    })
    const failing = await failingOf(deps, guardrails, identity, subject, suspects)
    found.looked++
    if (failing.length === 0) continue
    found.count++
    if (found.identities.length === MAX_IDENTITIES) continue
    const told = failing.slice(0, MAX_TESTS).map(({ title, message = '' }) => ({ title, message }))
    found.identities.push({ email: identity.email, tests: told })
  }
}

function subjectOf({ email, project, workloadIdentityConfig, recordedClaims }: WholeIdentity): TestSubject {
  return { email, projectId: project?.id ?? null, spec: { workloadIdentityConfig, recordedClaims } }
}

type Say = 'allowed' | 'denied' | 'failed'

async function allows(
  { evaluate }: FindFailingTestsDeps,
  digest: string | null,
  inputs: readonly string[],
): Promise<readonly Say[]> {
  if (digest === null) return inputs.map(() => 'allowed')
  return (await evaluate({ digest: undefined, guardrailsDigest: digest }, inputs)).map(said)
}

function said(result: EvaluationResult): Say {
  if (!result.ok) return 'failed'
  return result.allow ? 'allowed' : 'denied'
}

async function failingOf(
  deps: FindFailingTestsDeps,
  { after }: GuardrailsDigests,
  { policyDigest }: WholeIdentity,
  subject: TestSubject,
  suspects: readonly Suspect[],
): Promise<readonly TestResult[]> {
  if (suspects.length === 0) return []
  const evaluations = await deps.evaluate(
    { digest: policyDigest, guardrailsDigest: after ?? undefined },
    suspects.map(({ input }) => input),
  )
  return suspects.flatMap(({ test }, index) => {
    const evaluation = evaluations[index]
    const result = evaluation && resultOfTest(deps, subject, test, evaluation)
    return result === undefined || result.passed ? [] : [result]
  })
}
