import { fileURLToPath } from 'node:url'

/** The OPA that `tools/opa/go.mod` pins; the version is part of every policy's digest. */
export const OPA_VERSION = '1.22.2'

/** What the installation and the start of the service say alike where there is no compiler. */
export const NO_COMPILER =
  `There is no Rego compiler: install Go 1.26 (or Go 1.21 and later, without GOTOOLCHAIN=local) and run ` +
  `'npm run postinstall', or set OPA_BIN to the path of an opa ${OPA_VERSION}.`

/** The compiler's path: the one that `OPA_BIN` names, or the one that the installation built. */
export function opaBinary(opaBin: string | undefined): string {
  return opaBin || fileURLToPath(new URL('../../.tools/opa', import.meta.url))
}
