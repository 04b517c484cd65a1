import assert from 'node:assert/strict'
import type { Answer, World } from './world.ts'

/** Sends a form; a list may have a field several times. */
export function sendForm(
  world: World,
  path: string,
  form: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
  headers: Record<string, string> = {},
  ip?: string,
): Promise<Answer> {
  const pairs: readonly (readonly [string, string])[] = isList(form) ? form : Object.entries(form)
  return world.request('POST', path, {
    raw: new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value])).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    ...(ip !== undefined && { ip }),
  })
}

function isList(form: object): form is readonly (readonly [string, string])[] {
  return Array.isArray(form)
}

/** An error as RFC 6749 section 5.2 has it. */
export function assertOAuthError(answer: Answer, status: number, error: string, description: RegExp): void {
  assert.equal(answer.status, status, answer.text)
  assert.equal(answer.json.error, error, answer.text)
  assert.match(answer.json.error_description, description)
  assert.match(answer.json.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  assert.deepEqual(
    Object.keys(answer.json).filter((name) => !['error', 'error_description', 'details'].includes(name)),
    [],
  )
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.equal(answer.headers.get('pragma'), 'no-cache')
}
