import type { ClientConfig } from '../../config/env.ts'
import { type FileProblem, showFileProblem, sortFileProblems } from '../../policy-file/file-problem.ts'
import type { GuardrailsFiles } from '../../policy-file/read-guardrails-files.ts'
import type { PolicyFolder } from '../../policy-file/read-policy-folder.ts'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { createProgressBar } from '../progress-bar.ts'
import { openOfflinePolicies } from './offline-policies.ts'
import { openPolicyFolder, PolicyFileError } from './open-folder.ts'
import { roleNotices } from './role-notices.ts'

/** `claimgate policy check`: what is wrong with the identities of a folder, without a service. */
export const policyCheckCommand: ClientCommand = {
  usage: 'FOLDER [--json]',
  does: 'reads the identities of a folder (or one file) and compiles their policies; needs no service',
  flags: { json: { type: 'boolean' } },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [path = ''] }) {
    const { files, guardrails, problems } = await check(config, path)
    for (const notice of roleNotices(files)) process.stderr.write(`${notice}\n`)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ files: files.map(({ file }) => file), ...(guardrails && { guardrails: guardrails.file }), problems })}\n`
        : `${[...problems.map(showFileProblem), summary(files.length, guardrails, problems.length)].join('\n')}\n`,
    )
    return problems.length === 0 ? DONE : FOUND_SOMETHING
  },
}

type Checked = Omit<PolicyFolder, 'guardrails'> & { readonly guardrails?: GuardrailsFiles | undefined }

async function check(config: ClientConfig, path: string): Promise<Checked> {
  let opened: Omit<PolicyFolder, 'problems'>
  try {
    opened = openPolicyFolder(config, path)
  } catch (error) {
    return { files: [], problems: problemsOf(error) }
  }
  const { files, guardrails } = opened
  const policies = await openOfflinePolicies(config, guardrails)
  const progress = createProgressBar(process.stderr)
  let done = 0
  try {
    const ofGuardrails = policies.prepareGuardrails().then(() => [], problemsOf)
    const problems = await Promise.all([
      ofGuardrails,
      ...files.map(async (file) => {
        const found = await policies.prepare(file).then(() => [], problemsOf)
        done += 1
        progress.show(`${done} policies`, done / files.length)
        return found
      }),
    ])
    return { files, guardrails, problems: sortFileProblems(problems.flat()) }
  } finally {
    progress.end()
    await policies.close()
  }
}

/** The mistakes in files that an error tells of; any other goes on. */
export function problemsOf(error: unknown): readonly FileProblem[] {
  if (error instanceof PolicyFileError) return error.problems
  throw error
}

function summary(files: number, guardrails: GuardrailsFiles | undefined, problems: number): string {
  if (problems > 0) return `${problems} problem${problems === 1 ? '' : 's'}.`
  const beside = guardrails === undefined ? '' : ' and the guardrails'
  return `${files} identit${files === 1 ? 'y' : 'ies'}${beside}, no problem.`
}
