import type { AdminToken } from '../access/admin-token.ts'
import type { Role } from '../access/role.ts'
import type { IamPolicyOf } from '../access/set-iam-policy.ts'
import type { InsertChange } from '../change/change.ts'
import { createChangeRecorder } from '../change/record-change.ts'
import { GUARDRAILS } from '../guardrails/guardrails.ts'
import { adminTokenJson } from '../http/admin-token-json.ts'
import { draftJson } from '../http/draft-json.ts'
import { guardrailsDraftJson, guardrailsJson } from '../http/guardrails-json.ts'
import { iamPolicyJson } from '../http/iam-policy-json.ts'
import { storedIssuerJson } from '../http/issuer-json.ts'
import { projectJson } from '../http/project-json.ts'
import { revocableTokenJson } from '../http/revocable-token-json.ts'
import { roleJson } from '../http/role-json.ts'
import { signingKeyJson } from '../http/signing-key-json.ts'
import { workloadIdentityJson } from '../http/workload-identity-json.ts'
import type { DraftOf } from '../identity/draft-workload-identity.ts'
import type { WholeIdentity } from '../identity/identity-store.ts'
import type { RevocableToken } from '../issuance/revoke-token.ts'
import type { StoredSigningKey } from '../issuance/signing-key.ts'

/** What records the changes of each kind of resource, as the API shows it. */
export function recordChanges(insertChange: InsertChange) {
  return {
    recordIdentity: createChangeRecorder(insertChange, {
      nameOf: ({ email }: WholeIdentity) => `workloadIdentities/${email}`,
      show: (identity) => workloadIdentityJson(identity),
    }),
    recordIdentityDraft: createChangeRecorder(insertChange, {
      nameOf: ({ email }: DraftOf) => `workloadIdentities/${email}/draft`,
      show: ({ email, draft }) => draftJson(email, draft),
    }),
    recordAdminToken: createChangeRecorder(insertChange, {
      nameOf: ({ id }: AdminToken) => `adminTokens/${id}`,
      show: adminTokenJson,
    }),
    recordIssuer: createChangeRecorder(insertChange, {
      nameOf: ({ id }) => `issuers/${id}`,
      show: storedIssuerJson,
    }),
    recordProject: createChangeRecorder(insertChange, {
      nameOf: ({ id }) => `projects/${id}`,
      show: projectJson,
    }),
    recordIamPolicy: createChangeRecorder(insertChange, {
      nameOf: ({ projectId }: IamPolicyOf) => `projects/${projectId}`,
      show: ({ policy }) => iamPolicyJson(policy),
    }),
    recordRole: createChangeRecorder(insertChange, {
      nameOf: ({ id }: Role) => `roles/${id}`,
      show: roleJson,
    }),
    /** By its identity's name: a token has none that could be told. */
    recordToken: createChangeRecorder(insertChange, {
      nameOf: ({ claims }: RevocableToken) => `workloadIdentities/${claims.email}`,
      show: revocableTokenJson,
    }),
    recordSigningKey: createChangeRecorder(insertChange, {
      nameOf: ({ kid }: StoredSigningKey) => `signingKeys/${kid}`,
      show: signingKeyJson,
    }),
    recordGuardrails: createChangeRecorder(insertChange, { nameOf: () => GUARDRAILS, show: guardrailsJson }),
    recordGuardrailsDraft: createChangeRecorder(insertChange, {
      nameOf: () => `${GUARDRAILS}/draft`,
      show: guardrailsDraftJson,
    }),
  }
}
