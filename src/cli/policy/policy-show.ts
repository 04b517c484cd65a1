import type { PolicyModules } from '../../policy/compile-policy.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import { type ClientCommand, DONE } from '../command.ts'
import { openOfflinePolicies } from './offline-policies.ts'
import { openPolicyFolder } from './open-folder.ts'

/** `claimgate policy show`: the Rego that files become, as `GET …/policy` would answer it. */
export const policyShowCommand: ClientCommand = {
  usage: 'FOLDER [--json]',
  does: 'prints the Rego that the identities of a folder (or one file) become; --json with all base policies',
  flags: { json: { type: 'boolean' } },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [path = ''] }) {
    const { files, guardrails } = openPolicyFolder(config, path)
    const policies = await openOfflinePolicies(config, guardrails)
    try {
      const shown = files.map((file) => ({ file, policy: policies.gather(file) }))
      const beside = policies.gatherGuardrails()
      const all = [
        ...(guardrails && beside ? [describe(guardrails.file, 'the guardrails', beside)] : []),
        ...shown.map(({ file, policy }) => describe(file.file, file.email, policy)),
      ]
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({
              policies: shown.map(({ file, policy }) => asJson(file, policy)),
              ...(guardrails && beside && { guardrails: { file: guardrails.file, ...policyJson(beside) } }),
            })}\n`
          : all.join('\n'),
      )
      return DONE
    } finally {
      await policies.close()
    }
  },
}

function asJson({ file, email }: PolicyFile, policy: PolicyModules) {
  return { file, email, ...policyJson(policy) }
}

function policyJson({ digest, compiler, entrypoint, modules }: PolicyModules) {
  return { digest, compiler, entrypoint, modules }
}

/** The modules that are its own; what is the same for all stands in `policies/claimgate`. */
function describe(file: string, what: string, { digest, modules }: PolicyModules): string {
  const own = modules.filter(({ path }) => !path.startsWith('claimgate/'))
  const texts = own.map(({ path, source }) => `# ${path}\n${source}`)
  return `# ${file}: ${what}\n# ${digest}\n${texts.join('\n')}`
}
