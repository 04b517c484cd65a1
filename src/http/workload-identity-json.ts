import { z } from 'zod'
import type { Finding } from '../finding/finding.ts'
import type { WholeIdentity } from '../identity/identity-store.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'
import { acknowledgementAnswer, findingAnswer } from './finding-json.ts'
import { policyTestAnswer } from './policy-test-json.ts'

const texts = z.array(z.string())

/** A rule with every default written out. */
export const ruleOfIdentityAnswer = z
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
      providerType: z.enum(PROVIDER_TYPES),
      issuerUrl: z.string(),
      allowedAudiences: texts,
      rules: z.array(ruleOfIdentityAnswer),
      conditions: z.string().optional().meta({ description: 'Its own Rego; absent where it has none.' }),
    }),
    tests: z.array(policyTestAnswer),
    policyDigest: z.string(),
    acknowledgements: z
      .array(acknowledgementAnswer)
      .optional()
      .meta({ description: 'Which findings its author knew of, and why they may be.' }),
    findings: z
      .array(findingAnswer)
      .optional()
      .meta({ description: 'What it lets in that may not be meant; in the answer to every save.' }),
    notices: texts.optional().meta({ description: 'What a change did that its request did not say.' }),
  })
  .meta({ id: 'WorkloadIdentity' })

/** An identity as it is answered: to a save with its findings, and with the notices that there are. */
export function workloadIdentityJson(
  identity: WholeIdentity,
  saved: { readonly notices: readonly string[]; readonly findings?: readonly Finding[] } = { notices: [] },
): WorkloadIdentity {
  const { notices, findings } = saved
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
    tests: identity.tests,
    policyDigest: identity.policyDigest,
    ...(identity.acknowledgements.length > 0 && { acknowledgements: identity.acknowledgements }),
    ...(findings !== undefined && { findings }),
    ...(notices.length > 0 && { notices }),
  }
}
