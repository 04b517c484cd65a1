import { BUILT_IN_ROLES } from '../../access/built-in-roles.ts'
import type { ClientConfig } from '../../config/env.ts'
import { isResourceId } from '../../fields/resource-id.ts'
import { checkIdentityId, emailOf } from '../../identity/identity-email.ts'
import { findIdentityProblems } from '../../identity/parse-workload-identity.ts'
import { configSchema, workloadIdentitySchema } from '../../identity/workload-identity-schema.ts'
import { type FileProblem, showFileProblem } from '../../policy-file/file-problem.ts'
import { createPolicyFileSchema } from '../../policy-file/policy-file-schema.ts'
import type { PolicyFile, PolicyFileReader } from '../../policy-file/read-policy-file.ts'
import { readPolicyFolder } from '../../policy-file/read-policy-folder.ts'

/** The API's shapes, by which files are read. */
export const SHAPES = { identity: workloadIdentitySchema.shape, config: configSchema.shape }

/** Files with mistakes, each of them named. */
export class PolicyFileError extends Error {
  readonly problems: readonly FileProblem[]

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(showFileProblem).join('\n'))
    this.name = 'PolicyFileError'
    this.problems = problems
  }
}

/** The identities of a folder, or of one file. Throws `PolicyFileError` with every mistake that can be seen in it. */
export function openPolicyFolder(config: ClientConfig, path: string): readonly PolicyFile[] {
  const { files, problems } = readPolicyFolder(policyFileReader(config), path)
  if (problems.length > 0) throw new PolicyFileError(problems)
  return files
}

/** Reads files as the API reads requests. */
export function policyFileReader(
  config: Pick<ClientConfig, 'identityDomain' | 'tokenLifetimeSeconds'>,
): PolicyFileReader {
  return {
    ...config,
    shapes: SHAPES,
    schema: createPolicyFileSchema(SHAPES),
    knownRoles: Object.keys(BUILT_IN_ROLES),
    findIdentityProblems,
    checkId: checkIdentityId,
    emailOf,
    isProjectId: isResourceId,
  }
}
