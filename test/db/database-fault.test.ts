import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { databaseFault, sqlState, violatedConstraint } from '../../src/db/database-fault.ts'
import { RequestError } from '../../src/errors.ts'

const ofDatabase = (code: string, more = {}) =>
  Object.assign(new Error('from the database'), { code, ...more })

describe('a fault of the database as a whole', () => {
  for (const [code, what] of [
    ['08006', 'a lost connection'],
    ['25006', 'a read-only server'],
    ['28P01', 'a refused password'],
    ['53100', 'a full disk'],
    ['53300', 'too many connections'],
    ['55P03', 'a lock that is not to be had'],
    ['57014', 'a statement that took too long'],
    ['57P01', 'a server that shuts down'],
    ['57P03', 'a server that starts up'],
    ['58030', 'a broken disk'],
  ] as const) {
    test(`is unavailable: ${what} (${code})`, () => {
      const cause = ofDatabase(code)

      const fault = databaseFault(cause)

      assert.ok(fault instanceof RequestError)
      assert.equal(fault.code, 'unavailable')
      assert.equal(fault.cause, cause)
      assert.doesNotMatch(fault.message, /from the database/)
    })
  }

  for (const error of [
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }),
    new Error('timeout exceeded when trying to connect'),
    new Error('The server did not answer in time.'),
    new Error('Connection terminated unexpectedly'),
    'a text',
    undefined,
  ]) {
    test(`is unavailable where the driver says ${String(error)}`, () => {
      assert.equal((databaseFault(error) as RequestError).code, 'unavailable')
    })
  }
})

describe('what the database says about one statement', () => {
  for (const code of ['23505', '22P05', '40P01', '42501', 'P0001', 'XX000']) {
    test(`stays as it is: ${code}`, () => {
      const error = ofDatabase(code)

      assert.equal(databaseFault(error), error)
      assert.equal(sqlState(error), code)
    })
  }

  test('names the constraint that was violated, and only then', () => {
    assert.equal(violatedConstraint(ofDatabase('23505', { constraint: 'one_per_email' })), 'one_per_email')
    assert.equal(violatedConstraint(ofDatabase('23502')), undefined)
    assert.equal(violatedConstraint(ofDatabase('42501', { constraint: 'one_per_email' })), undefined)
    assert.equal(violatedConstraint(new Error('none')), undefined)
  })
})
