import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOneAtATime } from '../../src/db/one-at-a-time.ts'

test('work on one thing is done in turn, also after a failure, and work on others meanwhile', async () => {
  const inTurn = createOneAtATime()
  const gate = Promise.withResolvers<void>()
  const done: string[] = []
  const note = async (name: string) => void done.push(name)

  const first = inTurn('a', async () => {
    await gate.promise
    done.push('first')
    throw new Error('broken')
  })
  const second = inTurn('a', () => note('second'))
  await inTurn('b', () => note('other'))
  gate.resolve()

  await assert.rejects(first, /broken/)
  await second
  await inTurn('a', () => note('third'))
  assert.deepEqual(done, ['other', 'first', 'second', 'third'])
})
