import assert from 'node:assert/strict'
import { roleProblem } from '../../src/access/role.ts'
import { type ParseContext, parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from '../../src/identity/workload-identity.ts'

const ROLES = ['workspaceAdmin', 'policyAuthor', 'auditor', 'gitopsServiceAgent'].map((id) => `roles/${id}`)

/** What bodies of identities are read against. */
export const context: ParseContext = {
  email: 'gitlab-deploy@workload.example.com',
  findRoleProblem: (role: string) => (ROLES.includes(role) ? undefined : roleProblem(role, ROLES)),
  tokenLifetimeSeconds: 1800,
}

/** What a body becomes; fails where it is refused. */
export function read(body: unknown): WorkloadIdentitySpec {
  const parsed = parseWorkloadIdentity(body, context)
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.field} ${parsed.message}`)
  return parsed.spec
}

/** An identity's body with a config that is changed so. */
export function configWith(change: object): object {
  const base = { providerType: 'GITLAB', issuerUrl: 'https://gitlab.com', rules: [{ group: 'acme' }] }
  return {
    title: 'GitLab Deploy',
    workloadIdentityConfig: JSON.parse(JSON.stringify({ ...base, ...change })),
  }
}

/** An identity's body with these rules. */
export function bodyWithRules(rules: readonly unknown[]): object {
  return configWith({ rules })
}

/** An identity's body with one rule, of the group acme and what is given. */
export function bodyWith(change: object): object {
  return {
    title: 'GitLab Deploy',
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl: 'https://gitlab.com',
      rules: [{ group: 'acme', ...change }],
    },
  }
}
