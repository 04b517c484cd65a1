import { z } from 'zod'
import type { ClientConfig } from '../../config/env.ts'
import { isResourceId } from '../../fields/resource-id.ts'
import { guardrailsBody } from '../../guardrails/guardrails-schema.ts'
import { checkIdentityId, emailOf } from '../../identity/identity-email.ts'
import { findIdentityProblems, parseWorkloadIdentity } from '../../identity/parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from '../../identity/workload-identity.ts'
import { configSchema, OUTPUT_ONLY, workloadIdentitySchema } from '../../identity/workload-identity-schema.ts'
import { type FileProblem, showFileProblem } from '../../policy-file/file-problem.ts'
import { createPolicyFileSchema } from '../../policy-file/policy-file-schema.ts'
import type { GuardrailsTestsSchema } from '../../policy-file/read-guardrails-files.ts'
import type { PolicyFile, PolicyFileReader } from '../../policy-file/read-policy-file.ts'
import { type PolicyFolder, readPolicyFolder } from '../../policy-file/read-policy-folder.ts'
import { findRoleProblem } from './role-notices.ts'

/** The API's shapes, by which files are read. */
export const SHAPES = {
  identity: workloadIdentitySchema.shape,
  config: configSchema.shape,
  outputOnly: OUTPUT_ONLY,
}

/** The shape of the file of the guardrails' tests, as the API has them. */
export const GUARDRAILS_TESTS = z.strictObject({ tests: guardrailsBody.shape.tests.unwrap() })

/** Files with mistakes, each of them named. */
export class PolicyFileError extends Error {
  readonly problems: readonly FileProblem[]

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(showFileProblem).join('\n'))
    this.name = 'PolicyFileError'
    this.problems = problems
  }
}

/** The identities and guardrails of a folder, or the identity of one file. Throws `PolicyFileError` with every mistake that can be seen in it. */
export function openPolicyFolder(config: ClientConfig, path: string): Omit<PolicyFolder, 'problems'> {
  const { files, guardrails, problems } = readFolder(config, path)
  if (problems.length > 0) throw new PolicyFileError(problems)
  return { files, guardrails }
}

/** The same of what is right in it, beside the mistakes. */
export function readFolder(config: ClientConfig, path: string): PolicyFolder {
  return readPolicyFolder(policyFileReader(config), path)
}

/** An identity as its file makes it. Throws `PolicyFileError` where it is none. */
export function specOf(
  reader: PolicyFileReader,
  { body, email, problemAt }: PolicyFile,
): WorkloadIdentitySpec {
  const { state: _, ...stated } = body
  const parsed = parseWorkloadIdentity(stated, { ...reader, email })
  if (parsed.ok) return parsed.spec
  throw new PolicyFileError([problemAt([], `${parsed.field} ${parsed.message}`)])
}

/** Reads files as the API reads requests. */
export function policyFileReader(
  config: Pick<ClientConfig, 'identityDomain' | 'tokenLifetimeSeconds'>,
): PolicyFileReader & { readonly guardrailsTests: GuardrailsTestsSchema } {
  return {
    ...config,
    shapes: SHAPES,
    schema: createPolicyFileSchema(SHAPES),
    // What was parsed of YAML without tags holds nothing else than what JSON may.
    guardrailsTests: GUARDRAILS_TESTS as GuardrailsTestsSchema,
    findRoleProblem,
    findIdentityProblems,
    checkId: checkIdentityId,
    emailOf,
    isProjectId: isResourceId,
  }
}
