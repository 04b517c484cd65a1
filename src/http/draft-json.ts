import { z } from 'zod'
import type { Draft } from '../policy/draft-store.ts'
import { identitySpecAnswer } from './policy-version-json.ts'

/** What is told of every draft, whatever it is of. */
export const draftFields = {
  name: z.string().meta({ description: 'The name of what it is a draft of, and `/draft`.' }),
  etag: z.string(),
  author: z.string(),
  updateTime: z.iso.datetime(),
  isStale: z
    .boolean()
    .meta({ description: 'Whether there is a newer version: then it cannot be activated.' }),
  impact: z
    .string()
    .nullable()
    .meta({ description: 'The id of its last impact, by which it is activated; null: not looked at yet.' }),
}

export const draftAnswer = z
  .strictObject({
    ...draftFields,
    baseVersion: z.int().meta({ description: 'The version that it was made on.' }),
    workloadIdentity: identitySpecAnswer,
    policyDigest: z.string().nullable(),
    notices: z.array(z.string()).optional(),
  })
  .meta({ id: 'Draft', description: 'What is about to be made of an identity; nothing is decided by it.' })

export function draftJson(email: string, draft: Draft, notices: readonly string[] = []) {
  return {
    ...commonDraftJson(`workloadIdentities/${email}`, draft),
    workloadIdentity: draft.resource,
    policyDigest: draft.policyDigest,
    ...(notices.length > 0 && { notices }),
  }
}

/** What every draft's JSON has; `subject` is the name of what it is a draft of. */
export function commonDraftJson(subject: string, draft: Draft) {
  return {
    name: `${subject}/draft`,
    etag: draft.revision,
    author: draft.author,
    updateTime: draft.updateTime.toISOString(),
    baseVersion: draft.baseNumber,
    isStale: draft.baseNumber !== draft.newestNumber,
    impact: draft.impactId,
  }
}
