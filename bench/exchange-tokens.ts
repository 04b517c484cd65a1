import { EXCHANGE } from './scenarios/contestants.ts'
import type { Tokens } from './sender/tokens.ts'
import type { Service } from './start-service.ts'

/** Exchanges jobs' tokens one after the other, each for the identity of its place; throws unless all are allowed. */
export async function exchangeTokens(
  { url }: Service,
  jobs: Tokens,
  emails: readonly string[],
): Promise<readonly string[]> {
  await jobs.ensure(emails.length)
  const issued: string[] = []
  for (const [index, email] of emails.entries()) {
    const answer = await fetch(`${url}${EXCHANGE}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: jobs.at(index), email }),
    })
    const { accessToken, message } = (await answer.json()) as { accessToken?: string; message?: string }
    if (accessToken === undefined) throw new Error(`An exchange was refused: ${message}`)
    issued.push(accessToken)
  }
  return issued
}
