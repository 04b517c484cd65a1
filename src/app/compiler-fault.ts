import { RequestError } from '../errors.ts'
import { OPA_VERSION } from '../policy/opa-binary.ts'

/**
 * What the operator is told of a compiler that does not work: by the setting that names it, where one does. Any other
 * fault, such as a policy's file that is missing, stays as it is.
 */
export function compilerFault(error: unknown, opaBin: string | undefined): unknown {
  if (!(error instanceof RequestError) || !opaBin) return error
  return new Error(
    `OPA_BIN is ${opaBin}, which does not work as a compiler: name an opa ${OPA_VERSION}, or unset it.`,
    { cause: error.cause },
  )
}
