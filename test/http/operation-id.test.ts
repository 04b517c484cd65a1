import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { operationIdOf } from '../../src/http/operation-id.ts'
import type { Route } from '../../src/http/route.ts'

const NAMES: readonly (readonly [method: Route['method'], path: string, name: string])[] = [
  ['POST', '/v1/auth:exchangeToken', 'exchangeToken'],
  ['GET', '/v1/workloadIdentities/{email}', 'getWorkloadIdentity'],
  ['PATCH', '/v1/workloadIdentities/{email}', 'updateWorkloadIdentity'],
  ['DELETE', '/v1/workloadIdentities/{email}', 'deleteWorkloadIdentity'],
  ['POST', '/v1/workloadIdentities/{email}:undelete', 'undeleteWorkloadIdentity'],
  ['POST', '/v1/workloadIdentities:validate', 'validateWorkloadIdentity'],
  ['POST', '/v1/workspaces/default/workloadIdentities', 'createWorkloadIdentity'],
  ['POST', '/v1/projects/{project}/workloadIdentities', 'createProjectWorkloadIdentity'],
  ['GET', '/v1/workloadIdentities/{email}/policy', 'getWorkloadIdentityPolicy'],
  ['POST', '/v1/issuers/{id}:refreshKeys', 'refreshIssuerKeys'],
  ['GET', '/v1/projects/{project}:getIamPolicy', 'getProjectIamPolicy'],
  ['POST', '/v1/signingKeys:rotate', 'rotateSigningKey'],
  ['GET', '/.well-known/jwks.json', 'getJwks'],
  ['GET', '/.well-known/openid-configuration', 'getOpenidConfiguration'],
]
for (const [method, path, name] of NAMES) {
  test(`calls ${method} ${path} ${name}`, () => {
    assert.equal(operationIdOf({ method, path, query: {} }), name)
  })
}

test('calls what has pages a list', () => {
  const query = { pageToken: z.string() }

  assert.equal(operationIdOf({ method: 'GET', path: '/v1/decisions', query }), 'listDecisions')
  assert.equal(
    operationIdOf({ method: 'GET', path: '/v1/projects/{project}/workloadIdentities', query }),
    'listProjectWorkloadIdentities',
  )
})
