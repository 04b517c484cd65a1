import type { AuthoredKind, Requirement } from './check-module.ts'
import { type EvaluationResult, PAGE_BYTES, ROOMY_PAGES } from './evaluation.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { hintFor } from './problem-hints.ts'
import type { Verdict } from './verdict.ts'

/** What a sample set off; a conflict names its place itself. */
export function sampleProblem(
  { reason, cause }: Extract<EvaluationResult, { ok: false }>,
  file: string,
): PolicyProblem {
  if (TOO_LARGE.test(cause)) return tooLarge(file)
  const [, at = file, row = '1', column = '1', said = cause] =
    /^(?:\w+: )?(?:\.\/)?(\S+\.rego):(\d+):(\d+): (.*)$/s.exec(cause) ?? []
  const message = `A sample makes the policy fail: ${said}`
  const hint = hintFor(said)
  return {
    code: reason,
    message,
    ...(hint === undefined ? {} : { hint }),
    file: at,
    row: Number(row),
    column: Number(column),
  }
}

/** V8's words for a module that asks for more memory than it is given. */
const TOO_LARGE = /^LinkError: .*memory import has \d+ pages which is smaller/

function tooLarge(file: string): PolicyProblem {
  return {
    code: 'policy_too_large',
    message: `The policy's constants need more memory than a policy begins with (${(ROOMY_PAGES * PAGE_BYTES) / 1024} KiB).`,
    hint: 'Compare with fewer or shorter texts: with what they have in common, or in several identities.',
    file,
    row: 1,
    column: 1,
  }
}

/** What reads claims, and is met where there are none, would be met by a token that does not have what it asks for. */
export function metWithoutClaims(
  requirements: readonly Requirement[],
  withoutClaims: EvaluationResult | undefined,
  kind: AuthoredKind,
): readonly PolicyProblem[] {
  if (withoutClaims?.ok !== true) return []
  const verdict = JSON.parse(withoutClaims.verdictText) as Verdict
  const met = new Set(verdict[kind].filter((each) => each.met).map(({ code }) => code))
  return requirements
    .filter(({ code, readsClaims }) => readsClaims && met.has(code))
    .map(({ code, place: { row, column } }) => ({
      code: 'met_without_claims',
      message: `'${code}' is met by a token that has no claims at all.`,
      hint: 'Nothing that is worked out of an absent claim may meet it: compare the claim itself with what it must be.',
      file: `${kind}.rego`,
      row,
      column,
    }))
}
