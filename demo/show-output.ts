import type { Printer } from './printer.ts'

type Refusal = {
  readonly message: string
  readonly reason: string | undefined
  readonly decisionId: string | undefined
}

/** Prints what a job's script printed; of a refusal's JSON its message, its reason and the decision's id. */
export function showOutput(output: string, printer: Printer): void {
  for (const line of output.split('\n')) {
    const refusal = readRefusal(line)
    if (refusal === undefined) {
      printer.quote(line)
      continue
    }
    printer.quoteText(refusal.message)
    const { reason = 'not told', decisionId } = refusal
    if (decisionId !== undefined) printer.quote(`reason: ${reason} · decision: ${decisionId}`)
  }
}

function readRefusal(line: string): Refusal | undefined {
  const answer = parseObject(line)
  if (typeof answer?.code !== 'number' || typeof answer.message !== 'string') return undefined
  const [detail] = Array.isArray(answer.details) ? answer.details : []
  return {
    message: answer.message,
    reason: textOrNothing(detail?.reason),
    decisionId: textOrNothing(detail?.decisionId),
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
