import { createHash } from 'node:crypto'
import type { Verdict } from '../src/policy/verdict.ts'
import { type DemoJob, UNAUTHENTICATED } from './demo-jobs.ts'
import type { JobResult } from './run-job.ts'

/** What `GET /v1/decisions` tells of a decision, as far as it is looked at here. */
export type ShownDecision = {
  readonly name: string
  readonly outcome: string
  readonly reason: string
  readonly subjectTokenHash: string
  readonly claims: Readonly<Record<string, unknown>> | null
  readonly verdict: Verdict | null
}

/** What is not as it should be with a job that ran and the decision that was recorded of it, one sentence each. */
export function checkJob(
  job: DemoJob,
  result: JobResult | undefined,
  decision: ShownDecision | undefined,
): readonly string[] {
  const { outcome, reason } = job.expected
  return [...outputProblems(job, result), ...decisionProblems(job, decision)].map(
    (problem) => `${job.title}: should be ${outcome} ${reason}, but ${problem}.`,
  )
}

/** The conditions that a decision found unmet, of all its rules. */
export function unmetConditions({ verdict }: ShownDecision) {
  return (verdict?.rules ?? []).flatMap((rule) =>
    Object.entries(rule.conditions).flatMap(([code, condition]) =>
      condition.met ? [] : [{ code, ...condition }],
    ),
  )
}

/** Whether a job got an access token that the service accepts. */
export function isLetIn({ output }: JobResult): boolean {
  return output.includes('"userType":"WORKLOAD_IDENTITY"')
}

function outputProblems({ script, expected }: DemoJob, result: JobResult | undefined): readonly string[] {
  if (result === undefined) return ['it did not run']
  const { output, exitCode } = result
  const allowed = expected.outcome === 'ALLOWED'
  const problems: string[] = []
  const wantedExit = allowed || script === 'review' ? 0 : 1
  if (exitCode !== wantedExit) problems.push(`the script ended with ${exitCode}`)
  if (isLetIn(result) !== allowed) {
    problems.push(allowed ? 'the access token was not accepted' : 'the job was let in')
  }
  if (expected.code !== undefined && !output.includes(`{"code":${expected.code},`)) {
    problems.push('the answer has another code')
  }
  if (expected.code === UNAUTHENTICATED && output.includes('"rules"')) {
    problems.push('the answer tells a stranger of the rules')
  }
  return problems
}

function decisionProblems(
  { token, expected }: DemoJob,
  decision: ShownDecision | undefined,
): readonly string[] {
  if (decision?.subjectTokenHash !== createHash('sha256').update(token).digest('hex')) {
    return ['no decision on its token was recorded']
  }
  const found = {
    outcome: decision.outcome,
    reason: decision.reason,
    unmet: unmetConditions(decision).map(({ code }) => code),
  }
  const problems: string[] = []
  if (found.outcome !== expected.outcome || found.reason !== expected.reason) {
    problems.push(`${found.outcome} ${found.reason} was recorded`)
  }
  if (found.unmet.toSorted().join() !== expected.unmet.toSorted().join()) {
    problems.push(`the conditions not met are: ${found.unmet.join(', ') || 'none'}`)
  }
  return problems
}
