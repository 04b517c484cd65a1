import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTickets } from '../../src/policy/tickets.ts'

test('what is under way is found by its ticket until it is taken, once', () => {
  const tickets = createTickets<string>()
  const [a, b] = [tickets.add('a'), tickets.add('b')]
  assert.equal(tickets.size, 2)
  assert.equal(tickets.get(a), 'a')
  assert.equal(tickets.take(a), 'a')
  assert.equal(tickets.take(a), undefined)
  assert.equal(tickets.get(a), undefined)
  assert.equal(tickets.get(b), 'b')
  assert.equal(tickets.size, 1)
})

test('a ticket whose place another one has is not taken for that one', () => {
  const tickets = createTickets<number>()
  const first = tickets.add(1)
  tickets.take(first)
  const second = tickets.add(2)
  assert.notEqual(first, second)
  assert.equal(tickets.take(first), undefined)
  assert.equal(tickets.get(second), 2)
  tickets.clear()
  assert.equal(tickets.size, 0)
  assert.equal(tickets.get(second), undefined)
  assert.notEqual(tickets.add(3), second)
})
