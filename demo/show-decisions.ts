import { type ShownDecision, unmetConditions } from './check-job.ts'
import type { Printer } from './printer.ts'

/** Prints recorded decisions, oldest first, as a table, and beneath it why each refusal is one. */
export function showDecisions(decisions: readonly ShownDecision[], printer: Printer): void {
  const rows = decisions.map(({ outcome, reason, claims }, index) => [
    String(index + 1),
    outcome,
    reason,
    String(claims?.project_path ?? ''),
    String(claims?.ref ?? ''),
    String(claims?.pipeline_source ?? ''),
  ])
  printer.table(['#', 'outcome', 'reason', 'project_path', 'ref', 'pipeline_source'], rows)
  printer.line()
  printer.line('   The reason of each refusal:')
  for (const [index, decision] of decisions.entries()) {
    if (decision.outcome === 'ALLOWED') continue
    for (const sentence of whyRefused(decision)) printer.line(`   ${index + 1}. ${sentence}`)
  }
}

function whyRefused(decision: ShownDecision): readonly string[] {
  if (decision.reason === 'token_replayed') return ['token_replayed: this token had been exchanged before.']
  return unmetConditions(decision).map(({ code, claim, actual, expected }) => {
    const found = typeof actual === 'string' ? `'${actual}'` : 'not in the token'
    return `${code}: ${claim} is ${found}, expected ${expected}.`
  })
}
