import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdministratorCheck } from '../../src/http/is-administrator.ts'

const token = 'x'.repeat(32)

test('the admin token alone makes an administrator', () => {
  const isAdministrator = createAdministratorCheck(token)

  assert.equal(isAdministrator(`Bearer ${token}`), true)
  for (const other of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token}x`, `Basic ${token}`, token]) {
    assert.equal(isAdministrator(other), false, String(other))
  }
})

test('a token that is empty or short lets nobody in, as no check is made of it', () => {
  for (const short of ['', 'x'.repeat(31)])
    assert.throws(() => createAdministratorCheck(short), /32 characters/)
})
