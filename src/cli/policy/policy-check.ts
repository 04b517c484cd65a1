import { type FileProblem, showFileProblem, sortFileProblems } from '../../policy-file/file-problem.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { createProgressBar } from '../progress-bar.ts'
import { type OfflinePolicies, openOfflinePolicies } from './offline-policies.ts'
import { openPolicyFolder, PolicyFileError } from './open-folder.ts'

/** `claimgate policy check`: what is wrong with the identities of a folder, without a service. */
export const policyCheckCommand: ClientCommand = {
  name: 'policy check',
  usage: 'FOLDER [--json]',
  does: 'reads the identities of a folder (or one file) and compiles their policies; needs no service',
  flags: { json: { type: 'boolean' } },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [path = ''] }) {
    const { files, problems } = await check(
      () => openPolicyFolder(config, path),
      () => openOfflinePolicies(config),
    )
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ files: files.map(({ file }) => file), problems })}\n`
        : `${[...problems.map(showFileProblem), summary(files.length, problems.length)].join('\n')}\n`,
    )
    return problems.length === 0 ? DONE : FOUND_SOMETHING
  },
}

type Checked = { readonly files: readonly PolicyFile[]; readonly problems: readonly FileProblem[] }

async function check(
  open: () => readonly PolicyFile[],
  openPolicies: () => Promise<OfflinePolicies>,
): Promise<Checked> {
  let files: readonly PolicyFile[] = []
  try {
    files = open()
  } catch (error) {
    return { files, problems: problemsOf(error) }
  }
  const policies = await openPolicies()
  const progress = createProgressBar(process.stderr)
  let done = 0
  try {
    const problems = await Promise.all(
      files.map(async (file) => {
        const found = await policies.prepare(file).then(() => [], problemsOf)
        done += 1
        progress.show(`${done} policies`, done / files.length)
        return found
      }),
    )
    return { files, problems: sortFileProblems(problems.flat()) }
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

function summary(files: number, problems: number): string {
  if (problems > 0) return `${problems} problem${problems === 1 ? '' : 's'}.`
  return `${files} identit${files === 1 ? 'y' : 'ies'}, no problem.`
}
