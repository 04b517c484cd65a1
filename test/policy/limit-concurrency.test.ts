import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestError } from '../../src/errors.ts'
import { limitConcurrency } from '../../src/policy/limit-concurrency.ts'

const isUnavailable = (error: unknown) => error instanceof RequestError && error.code === 'unavailable'

test('who has waited too long leaves the line: it is not run, and its place is another one’s', async () => {
  const limit = limitConcurrency(1, 1, 'Busy.', 20)
  const gate = Promise.withResolvers<void>()
  const begun: string[] = []
  const task = (name: string) => async () => {
    begun.push(name)
    await gate.promise
  }

  const first = limit(task('first'))
  const waited = limit(task('waited'))
  await assert.rejects(limit(task('refused')), isUnavailable)
  await assert.rejects(waited, isUnavailable)
  const next = limit(task('next'))
  gate.resolve()
  await Promise.all([first, next])
  await limit(task('last'))

  assert.deepEqual(begun, ['first', 'next', 'last'])
})

test('without such a bound it waits for its turn, in the order in which they came', async () => {
  const limit = limitConcurrency(1, 2, 'Busy.')
  const begun: number[] = []

  await Promise.all([1, 2, 3].map((each) => limit(async () => void begun.push(each))))

  assert.deepEqual(begun, [1, 2, 3])
})
