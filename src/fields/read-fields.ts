import type { ZodType } from 'zod'
import { describeEachIssue, describeIssues, type FieldHint, type FieldProblem } from './describe-issue.ts'

export type ReadFields<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: FieldProblem }

/** Reads a value by its schema, or names the first field that is wrong and how to mend it. */
export function readFields<Value>(
  schema: ZodType<Value>,
  value: unknown,
  hint?: FieldHint,
): ReadFields<Value> {
  const result = schema.safeParse(value)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problem: describeIssues(schema, result.error.issues, value, hint) }
}

/** All that is wrong with a value by its schema; nothing where it fits. */
export function findFieldProblems(
  schema: ZodType,
  value: unknown,
  hint?: FieldHint,
): readonly FieldProblem[] {
  const result = schema.safeParse(value)
  return result.success ? [] : describeEachIssue(schema, result.error.issues, value, hint)
}
