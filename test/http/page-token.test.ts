import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createPageTokens } from '../../src/http/page-token.ts'

const [old, current] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const SCOPE = { list: 'things', filter: undefined, owner: 'a' }

describe('page tokens', () => {
  const tokens = createPageTokens([current])
  const token = tokens.make(SCOPE, 'päge/1')

  test('give back the place that they were made for', () => {
    assert.equal(tokens.read({ ...SCOPE }, token), 'päge/1')
  })

  test('go on after a change of secrets, as long as the old one is kept', () => {
    const made = createPageTokens([old]).make(SCOPE, 'x')

    assert.equal(createPageTokens([current, old]).read(SCOPE, made), 'x')
    assert.throws(() => tokens.read(SCOPE, made), /pageToken/)
  })

  test('are of one list, asked for in one way', () => {
    for (const other of [
      {},
      { ...SCOPE, list: 'others' },
      { ...SCOPE, owner: 'b' },
      { ...SCOPE, filter: 'x' },
    ]) {
      assert.throws(() => tokens.read(other, token), /pageToken/)
    }
  })

  test('are refused where anything of them is changed', () => {
    const changed = [...token].map(
      (letter, index) => `${token.slice(0, index)}${letter === 'A' ? 'B' : 'A'}${token.slice(index + 1)}`,
    )
    for (const text of [
      ...changed,
      `${token}A`,
      `${token}=`,
      ` ${token}`,
      token.slice(1),
      token.slice(0, 16),
      'x',
      '💥',
    ]) {
      assert.throws(() => tokens.read(SCOPE, text), { name: 'RequestError', code: 'invalid_argument' })
    }
  })
})
