import { z } from 'zod'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'

const texts = z.array(z.string())

const rule = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    disabled: z.boolean(),
    group: z.string(),
    project: z.string(),
    refs: z.array(z.strictObject({ type: z.enum(['BRANCH', 'TAG']), pattern: z.string() })),
    protectedRefsOnly: z.boolean(),
    mergeRequests: z.enum(['NONE', 'SAME_PROJECT']),
    pipelineSources: texts,
    claims: z.record(z.string(), texts),
    ids: z.strictObject({ projectIds: texts, namespaceIds: texts }),
    roles: texts,
  })
  .meta({ id: 'Rule' })

export const workloadIdentityAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`workloadIdentities/` and its email.' }),
    email: z.string(),
    title: z.string(),
    state: z.enum(['ACTIVE', 'DISABLED', 'DELETED']),
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    createTime: z.iso.datetime(),
    updateTime: z.iso.datetime(),
    tokenLifetimeSeconds: z.int(),
    subjectTokenUse: z.enum(['ONCE', 'MANY']),
    tokenAudiences: texts,
    recordedClaims: texts,
    workloadIdentityConfig: z.strictObject({
      providerType: z.enum(['GITLAB']),
      issuerUrl: z.string(),
      allowedAudiences: texts,
      rules: z.array(rule),
      conditions: z.string().optional().meta({ description: 'Its own Rego; absent where it has none.' }),
    }),
    policyDigest: z.string(),
    notices: texts.optional().meta({ description: 'What a change did that its request did not say.' }),
  })
  .meta({ id: 'WorkloadIdentity' })

/** An identity as it is answered; `notices` only in the answer to a change that has something to say. */
export function workloadIdentityJson(
  identity: StoredIdentity,
  notices: readonly string[] = [],
): WorkloadIdentity {
  return {
    name: `workloadIdentities/${identity.email}`,
    email: identity.email,
    title: identity.title,
    state: identity.state,
    etag: identity.revision,
    createTime: identity.createTime.toISOString(),
    updateTime: identity.updateTime.toISOString(),
    tokenLifetimeSeconds: identity.tokenLifetimeSeconds,
    subjectTokenUse: identity.subjectTokenUse,
    tokenAudiences: identity.tokenAudiences,
    recordedClaims: identity.recordedClaims,
    workloadIdentityConfig: identity.workloadIdentityConfig,
    policyDigest: identity.policyDigest,
    ...(notices.length > 0 && { notices }),
  }
}
