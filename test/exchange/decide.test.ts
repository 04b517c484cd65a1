import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DecideDeps, decide } from '../../src/exchange/decide.ts'
import type { StoredIdentity } from '../../src/identity/identity-store.ts'
import type { VerifiedToken } from '../../src/token/verify-token.ts'

const NOW = Date.UTC(2026, 10, 24, 12)
const ISSUER = 'https://gitlab.com'

const token = {
  verified: true,
  claims: { iss: ISSUER, sub: 'x', aud: ISSUER },
  issuer: { issuerUrl: ISSUER, revision: '7', providerType: 'GITLAB' },
  tokenHash: '00',
  keyId: 'k',
  jtiHash: '11',
} as unknown as VerifiedToken

const identity = {
  id: 'd3b0',
  email: 'deploy@web.example.com',
  isActive: true,
  revision: '5',
  project: { id: 'web', revision: '3' },
  policyDigest: 'sha256:0',
  recordedClaims: [],
  tokenAudiences: [],
  workloadIdentityConfig: { issuerUrl: ISSUER, allowedAudiences: [ISSUER] },
} as unknown as StoredIdentity

/** Decides for this identity; tells what its policy was given and what the decision stands on. */
async function decideFor(found: StoredIdentity | undefined) {
  const inputs: string[] = []
  const deps: DecideDeps = {
    clock: () => NOW,
    newDecisionId: () => 'id',
    verifyToken: async () => token,
    findIdentity: async () => ({ identity: found, cached: false }),
    reloadIdentity: async () => undefined,
    recordableClaims: (claims) => claims,
    tokenAudiences: () => [ISSUER],
    findGuardrails: async () => ({ digest: null, revision: '9' }),
    evaluatePolicy: async (_digest, input) => {
      inputs.push(input)
      return { ok: false, reason: 'policy_error', cause: 'not run' }
    },
    fallbackPolicyDigests: { GITLAB: 'sha256:1', GITHUB: 'sha256:2' },
    publicUrl: 'https://claimgate.example.com',
    signingKeyId: () => 'kid',
  }
  const request = {
    token: 'x',
    email: identity.email,
    audience: undefined,
    requestId: 'r',
    callerIp: '198.51.100.1',
    userAgent: null,
    arrivedAt: 0,
  }
  const { decision } = await decide(deps, request)
  return { input: JSON.parse(inputs[0] ?? ''), decidedOn: decision.decidedOn }
}

test('a policy is given the identity with its project, and none where it has none', async () => {
  const ofProject = await decideFor(identity)
  const ofWorkspace = await decideFor({ ...identity, project: null })
  const unknown = await decideFor(undefined)

  assert.deepEqual(ofProject.input, {
    claims: token.claims,
    time: NOW / 1000,
    identity: { email: identity.email, project: 'web' },
    provider: 'GITLAB',
  })
  assert.equal(ofWorkspace.input.identity.project, '')
  assert.equal(unknown.input.identity.project, '')
})

test('a decision stands on the revisions of identity, project, issuer and guardrails', async () => {
  const ofProject = await decideFor(identity)
  const ofWorkspace = await decideFor({ ...identity, project: null })
  const unknown = await decideFor(undefined)

  assert.deepEqual(ofProject.decidedOn, {
    identityRevision: '5',
    projectRevision: '3',
    issuerRevision: '7',
    guardrailsRevision: '9',
  })
  assert.equal(ofWorkspace.decidedOn.projectRevision, null)
  assert.deepEqual(unknown.decidedOn, {
    identityRevision: null,
    projectRevision: null,
    issuerRevision: '7',
    guardrailsRevision: '9',
  })
})
