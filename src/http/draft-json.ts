import { z } from 'zod'
import type { Draft } from '../policy/draft-store.ts'
import { identitySpecAnswer } from './policy-version-json.ts'

export const draftAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`workloadIdentities/`, its email, `/draft`.' }),
    etag: z.string(),
    author: z.string(),
    updateTime: z.iso.datetime(),
    baseVersion: z.int().meta({ description: 'The version that it was made on.' }),
    isStale: z
      .boolean()
      .meta({ description: 'Whether there is a newer version: then it cannot be activated.' }),
    impact: z
      .string()
      .nullable()
      .meta({ description: 'The id of its last impact, by which it is activated; null: not looked at yet.' }),
    workloadIdentity: identitySpecAnswer,
    policyDigest: z.string().nullable(),
    notices: z.array(z.string()).optional(),
  })
  .meta({ id: 'Draft', description: 'What is about to be made of an identity; nothing is decided by it.' })

export function draftJson(email: string, draft: Draft, notices: readonly string[] = []) {
  return {
    name: `workloadIdentities/${email}/draft`,
    etag: draft.revision,
    author: draft.author,
    updateTime: draft.updateTime.toISOString(),
    baseVersion: draft.baseNumber,
    isStale: draft.baseNumber !== draft.newestNumber,
    impact: draft.impactId,
    workloadIdentity: draft.resource,
    policyDigest: draft.policyDigest,
    ...(notices.length > 0 && { notices }),
  }
}
