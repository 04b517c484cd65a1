import { FieldError, invalidArgument } from '../errors.ts'
import { type FieldMask, readUpdatedFields } from '../fields/field-mask.ts'
import { fieldPath } from '../fields/field-path.ts'
import type { WholeIdentity } from './identity-store.ts'
import { readIdentityBody } from './parse-workload-identity.ts'
import {
  IDENTITY_FIELDS,
  type WorkloadIdentityPatchBody,
  workloadIdentityPatchSchema,
} from './workload-identity-schema.ts'

/** A change that is asked for: these fields become what the body says, or their default where it says nothing. */
export type IdentityPatch = {
  readonly body: WorkloadIdentityPatchBody
  readonly paths: readonly string[]
  /** Undefined: it stays. */
  readonly state: 'ACTIVE' | 'DISABLED' | undefined
  /** The etag of what was read and is given back changed. */
  readonly etag: string | undefined
  readonly changesRules: boolean
  /** Whether it is about anything that decides who is admitted. */
  readonly changesJudgement: boolean
}

const CONFIG = 'workloadIdentityConfig'

/** Reads an update's body. Throws `invalid_argument` naming the field at fault. */
export function readIdentityPatch(body: unknown, mask: FieldMask): IdentityPatch {
  const read = readIdentityBody(workloadIdentityPatchSchema, body as object)
  if (!read.ok) throw new FieldError(fieldPath(read.problem.path) || 'body', read.problem.message)

  const updated = readUpdatedFields(mask, read.value, IDENTITY_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  const { paths } = updated
  const configPaths = paths.filter((path) => path.startsWith(CONFIG))
  return {
    body: read.value,
    paths,
    state: readState(read.value, paths, mask),
    etag: read.value.etag,
    changesRules: configPaths.some((path) => path === CONFIG || path === `${CONFIG}.rules`),
    changesJudgement: configPaths.length > 0 || paths.includes('recordedClaims'),
  }
}

/** What the identity would be, as a create's body: all of it stated, but for what falls back to its default. */
export function patchedBody(identity: WholeIdentity, { body, paths }: IdentityPatch): object {
  const { title, tokenLifetimeSeconds, subjectTokenUse, tokenAudiences, recordedClaims, tests } = identity
  const config: Record<string, unknown> = { ...identity.workloadIdentityConfig }
  const patched: Record<string, unknown> = {
    title,
    tokenLifetimeSeconds,
    subjectTokenUse,
    tokenAudiences,
    recordedClaims,
    tests,
    [CONFIG]: config,
    name: body.name,
    email: body.email,
  }
  for (const path of paths.filter((name) => name !== 'state')) {
    const [field, part] = path.split('.') as [keyof WorkloadIdentityPatchBody, string | undefined]
    if (part === undefined) patched[field] = body[field]
    else config[part] = (body[CONFIG] as Record<string, unknown> | undefined)?.[part]
  }
  return patched
}

/** It has no default to fall back to: what was disabled is enabled by saying so. */
function readState(
  { state }: WorkloadIdentityPatchBody,
  paths: readonly string[],
  mask: FieldMask,
): 'ACTIVE' | 'DISABLED' | undefined {
  if (!paths.includes('state') || (mask === '*' && state === undefined)) return undefined
  if (state === undefined) throw invalidArgument("state is required: 'ACTIVE' or 'DISABLED'.")
  if (state === 'DELETED') {
    throw invalidArgument(
      "state must be 'ACTIVE' or 'DISABLED': an identity is deleted by the method DELETE.",
    )
  }
  return state
}
