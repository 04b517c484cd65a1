import { z } from 'zod'
import type { PolicyVersion, PolicyVersionStore } from '../policy/policy-version-store.ts'
import { existingVersion } from './policy-version-json.ts'

/** Which version another is compared with. */
export const againstParameter = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a version's number")
  .meta({
    description: 'The version to compare with; the one before it unless given.',
    parameter: { type: 'integer', minimum: 1 },
  })

export const comparedVersions = {
  from: z.int().nullable().meta({ description: 'The version before; null: there was nothing yet.' }),
  to: z.int(),
}

export const fieldDiff = z.strictObject({ path: z.string(), before: z.unknown(), after: z.unknown() }).meta({
  id: 'FieldDiff',
  description: 'A field that has another value; null where it is not there.',
})

export const moduleDiffs = z
  .array(z.strictObject({ path: z.string(), diff: z.string() }))
  .meta({ description: 'The Rego that differs, each module as a unified diff.' })

/** The version of this number, and the one that it is compared with; throws `not_found` where there is none. */
export async function versionsToCompare(
  versions: Pick<PolicyVersionStore, 'get'>,
  subject: string,
  version: string,
  against: string | undefined,
): Promise<{ readonly from: PolicyVersion | undefined; readonly to: PolicyVersion }> {
  const to = await existingVersion(versions, subject, version)
  const from =
    against === undefined
      ? await versions.get(subject, to.number - 1)
      : await existingVersion(versions, subject, against)
  return { from, to }
}
