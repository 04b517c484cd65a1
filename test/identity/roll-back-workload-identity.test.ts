import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rollBackWorkloadIdentity } from '../../src/identity/roll-back-workload-identity.ts'

type Args = Parameters<typeof rollBackWorkloadIdentity>

describe('rolling back an identity', () => {
  test('is given up where another has its email by the time it is made', async () => {
    const email = 'deploy@workload.example.com'
    const found = [
      { id: 'one', email, state: 'ACTIVE', revision: '7' },
      { id: 'two', email, state: 'ACTIVE', revision: '1' },
    ]
    const subjects: string[] = []
    const deps = {
      findIdentity: async () => found.shift(),
      findPolicyVersion: async (subject: string) => {
        subjects.push(subject)
        return { resource: { title: 'Deploy' } }
      },
    } as unknown as Args[0]

    const rolledBack = rollBackWorkloadIdentity(deps, email, 1, undefined, {} as Args[4])

    await assert.rejects(rolledBack, { code: 'aborted' })
    assert.deepEqual([subjects, found], [['workloadIdentities/one'], []])
  })
})
