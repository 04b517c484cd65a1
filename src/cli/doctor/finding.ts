/** `unknown`: it could not be looked at. */
export type Status = 'ok' | 'warning' | 'problem' | 'unknown'

/** What a check came to: a sentence, with the mend where there is something to mend. */
export type Finding = { readonly check: string; readonly status: Status; readonly message: string }

/** What a look at one thing came to. */
export type Seen = readonly [Status, string]

/** One thing that is looked at. What it throws is told as what could not be looked at. */
export type Check = { readonly name: string; readonly look: () => Promise<Seen> }

/** Runs checks one after the other, so that each has the database to itself. */
export async function runChecks(checks: readonly Check[]): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const check of checks) findings.push(await runCheck(check))
  return findings
}

export async function runCheck({ name, look }: Check): Promise<Finding> {
  try {
    const [status, message] = await look()
    return { check: name, status, message }
  } catch (error) {
    return { check: name, status: 'unknown', message: `It could not be looked at: ${causeOf(error)}` }
  }
}

/** The sentence of an error, and what is behind it. */
export function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message || cause.name})` : message
}
