import assert from 'node:assert/strict'
import { assertProblem } from './answers.ts'
import { assertOAuthError } from './oauth.ts'
import type { Answer, World } from './world.ts'

/** A call as the API's description has it; `permission` is '' where it asks for none, `alsoNeeds` where for no other. */
export type DescribedCall = {
  readonly method: string
  readonly path: string
  readonly permission: string
  readonly alsoNeeds: string
}

export async function describedCalls(world: World): Promise<readonly DescribedCall[]> {
  const { paths } = (await world.request('GET', '/openapi.json')).json
  return Object.entries(paths as Record<string, Record<string, { description?: string }>>).flatMap(
    ([path, operations]) =>
      Object.entries(operations).map(([method, { description = '' }]) => {
        const [, permission = '', alsoNeeds = ''] =
          /The permission is `([\w.]+)`(?:, and `([\w.]+)` too)?\./.exec(description) ?? []
        return { method: method.toUpperCase(), path, permission, alsoNeeds }
      }),
  )
}

/** In the words of the standard that the path is of, and otherwise in ours; nothing else is told. */
export function assertForbidden(answer: Answer, { path, permission }: DescribedCall): void {
  const message = new RegExp(`^This needs the permission ${permission.replaceAll('.', '\\.')}, which`)
  if (path.startsWith('/oauth2/')) {
    assertOAuthError(answer, 403, 'insufficient_scope', message)
    assert.equal(answer.json.details, undefined)
  } else if (path.startsWith('/access/')) {
    assert.equal(answer.status, 403, answer.text)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/)
    assert.match(answer.text, message)
  } else {
    assertProblem(answer, 403, 7, message)
    assert.deepEqual(answer.json.details, [])
  }
}
