import assert from 'node:assert/strict'
import { test } from 'node:test'
import { administrativeRoles } from '../../src/access/built-in-roles.ts'
import { PERMISSIONS } from '../../src/access/permissions.ts'

test('a role administers that gives more than to read and to ask', () => {
  const given = new Map(
    Object.entries({
      all: PERMISSIONS,
      reading: ['claimgate.decisions.list', 'claimgate.workloadIdentities.evaluate'],
      service: ['claimgate.access.evaluate', 'claimgate.tokens.introspect'],
      revoking: ['claimgate.tokens.revoke'],
      nothing: [],
    } as const).map(([role, permissions]) => [role, new Set(permissions)] as const),
  )

  assert.deepEqual(administrativeRoles(given), ['all', 'revoking'])
})
