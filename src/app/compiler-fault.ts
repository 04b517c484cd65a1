import { OPA_VERSION } from '../policy/opa-binary.ts'

/** What the operator is told of a compiler that does not work: by the setting that names it, where one does. */
export function compilerFault(error: unknown, opaBin: string | undefined): Error {
  const { message, cause } = error as Error
  if (!opaBin) return new Error(message, { cause })
  return new Error(
    `OPA_BIN is ${opaBin}, which does not work as a compiler: name an opa ${OPA_VERSION}, or unset it.`,
    { cause },
  )
}
