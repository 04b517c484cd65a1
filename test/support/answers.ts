import assert from 'node:assert/strict'

/** A decision's id: a UUIDv7 (RFC 9562). */
export const DECISION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

type AnyAnswer = { readonly status: number; readonly headers: Headers; readonly text: string }

/** What every answer of the service carries, JWKS and metadata aside. */
export function assertSafeHeaders(answer: AnyAnswer): void {
  assert.match(answer.headers.get('x-request-id') ?? '', /^[A-Za-z0-9._-]{1,128}$/)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json\b/)
  assert.equal(answer.headers.get('x-powered-by'), null)
  assert.equal(answer.headers.get('access-control-allow-origin'), null)
}

/** An error of the API: its status and code, one line of message, details as a list. */
export function assertProblem(
  answer: AnyAnswer,
  status: number,
  code: number,
  message: RegExp | string,
): void {
  assert.equal(answer.status, status, answer.text)
  const body = JSON.parse(answer.text)
  assert.deepEqual(Object.keys(body), ['code', 'message', 'details'])
  assert.equal(body.code, code)
  if (typeof message === 'string') assert.equal(body.message, message)
  else assert.match(body.message, message)
  assert.doesNotMatch(body.message, /[\n\r]/)
  assert.ok(Array.isArray(body.details))
  assertSafeHeaders(answer)
  if (status === 401) assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/)
  if (status === 503) assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
}

/** An exchange's answer survives `echo $RESPONSE` of any shell: no backslash, no line break, no word to expand. */
export function assertEchoable(answer: AnyAnswer): void {
  assert.doesNotMatch(answer.text, /[\\\p{Cc}]/u)
  for (const word of String(JSON.parse(answer.text).message ?? '').split(/\s+/)) {
    assert.doesNotMatch(
      word.replace(/'[^']*'/g, ''),
      /[*?[]/,
      `a shell would expand ${word} of: ${answer.text}`,
    )
  }
}

/** No token in a refusal, under whatever name. */
export function assertNoToken(answer: AnyAnswer): void {
  assert.doesNotMatch(answer.text, /accessToken|eyJ[A-Za-z0-9_-]{10}/)
}

type RecordedRequirement = { readonly code: string; readonly message: string; readonly met: boolean }

export type RecordedVerdict = {
  readonly allow: boolean
  readonly roles: readonly string[]
  readonly conditions: readonly RecordedRequirement[]
  readonly guardrails: readonly RecordedRequirement[]
  readonly rules: readonly {
    readonly id: string
    readonly met: boolean
    readonly conditions: Readonly<
      Record<string, { readonly met: boolean; readonly actual: unknown; readonly expected: string }>
    >
  }[]
}

/** The verdict of a decision that has one. */
export function verdictOf(decision: Readonly<Record<string, unknown>> | undefined): RecordedVerdict {
  assert.ok(decision?.verdict, 'the decision has no verdict')
  return decision.verdict as RecordedVerdict
}
