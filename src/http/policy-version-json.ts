import { z } from 'zod'
import { RequestError } from '../errors.ts'
import type { PolicyVersion, PolicyVersionStore } from '../policy/policy-version-store.ts'
import { workloadIdentityAnswer } from './workload-identity-json.ts'

/** What an identity's author decides of it; the rest of the resource is ours. */
export const identitySpecAnswer = workloadIdentityAnswer
  .omit({
    name: true,
    email: true,
    state: true,
    etag: true,
    createTime: true,
    updateTime: true,
    policyDigest: true,
    notices: true,
    findings: true,
    acknowledgements: true,
  })
  .meta({ id: 'WorkloadIdentitySpec' })

export const policyVersionAnswer = z
  .strictObject({
    name: z.string(),
    number: z.int(),
    change: z.enum(['CREATE', 'UPDATE', 'DELETE', 'UNDELETE', 'ROLLBACK', 'ACTIVATION']),
    restoredNumber: z.int().optional().meta({ description: 'The version that a ROLLBACK went back to.' }),
    author: z.string(),
    reason: z.string().nullable(),
    state: z.enum(['ACTIVE', 'DISABLED', 'DELETED']),
    workloadIdentity: identitySpecAnswer,
    policyDigest: z.string().nullable(),
    createTime: z.iso.datetime(),
  })
  .meta({ id: 'PolicyVersion', description: 'What a save made of an identity.' })

export function policyVersionJson(email: string, version: PolicyVersion) {
  const { number, change, restoredNumber, author, reason, state, resource, policyDigest, createTime } =
    version
  return {
    name: `workloadIdentities/${email}/policyVersions/${number}`,
    number,
    change,
    ...(restoredNumber !== null && { restoredNumber }),
    author,
    reason,
    state,
    workloadIdentity: resource,
    policyDigest,
    createTime: createTime.toISOString(),
  }
}

/** A version's number as a path names it; undefined for what cannot be one. */
export function readVersionNumber(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined
}

/** The version of this number; throws `not_found` where there is none. */
export async function existingVersion(
  versions: Pick<PolicyVersionStore, 'get'>,
  subject: string,
  text: string,
): Promise<PolicyVersion> {
  const number = readVersionNumber(text)
  const version = number === undefined ? undefined : await versions.get(subject, number)
  if (version === undefined) throw new RequestError('not_found', 'There is no such policy version.')
  return version
}
