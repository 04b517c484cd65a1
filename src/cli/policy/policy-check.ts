import type { ClientConfig } from '../../config/env.ts'
import { noticesFor } from '../../identity/notices-for.ts'
import { type FileProblem, showFileProblem, sortFileProblems } from '../../policy-file/file-problem.ts'
import type { GuardrailsFiles } from '../../policy-file/read-guardrails-files.ts'
import type { PolicyFile, PolicyFileReader } from '../../policy-file/read-policy-file.ts'
import type { PolicyFolder } from '../../policy-file/read-policy-folder.ts'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { createProgressBar } from '../progress-bar.ts'
import { openOfflinePolicies } from './offline-policies.ts'
import { PolicyFileError, policyFileReader, readFolder, specOf } from './open-folder.ts'
import { roleNotices } from './role-notices.ts'

/** `claimgate policy check`: what is wrong with the identities of a folder, without a service. */
export const policyCheckCommand: ClientCommand = {
  usage: 'FOLDER [--json]',
  does: 'reads the identities of a folder (or one file) and compiles their policies; needs no service',
  flags: { json: { type: 'boolean' } },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [path = ''] }) {
    const { files, guardrails, problems } = await check(config, path)
    const reader = policyFileReader(config)
    const notices = files.flatMap((file) => noticesOf(reader, file))
    for (const notice of [...notices.map(showNotice), ...roleNotices(files)])
      process.stderr.write(`${notice}\n`)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ files: files.map(({ file }) => file), ...(guardrails && { guardrails: guardrails.file }), notices, problems })}\n`
        : `${[...problems.map(showFileProblem), summary(files.length, guardrails, problems.length)].join('\n')}\n`,
    )
    return problems.length === 0 ? DONE : FOUND_SOMETHING
  },
}

/** What is right is compiled also beside what is wrong, so that every mistake is named at once. */
async function check(config: ClientConfig, path: string): Promise<PolicyFolder> {
  const { problems, ...folder } = readFolder(config, path)
  const compiled = await compile(config, folder).catch((error: Error) => {
    // What was read is told without the compiler too.
    if (problems.length === 0) throw error
    process.stderr.write(`${error.message}\n`)
    return []
  })
  return { ...folder, problems: sortFileProblems([...problems, ...compiled]) }
}

async function compile(
  config: ClientConfig,
  { files, guardrails }: Omit<PolicyFolder, 'problems'>,
): Promise<readonly FileProblem[]> {
  if (files.length === 0 && guardrails === undefined) return []
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
    return problems.flat()
  } finally {
    progress.end()
    await policies.close()
  }
}

/** What is legal in a file but probably not what its author expects, where it stands there. */
function noticesOf(reader: PolicyFileReader, file: PolicyFile): readonly FileProblem[] {
  return noticesFor(specOf(reader, file)).map(({ path, message }) => file.problemAt(path, message))
}

function showNotice({ field, message, ...place }: FileProblem): string {
  return showFileProblem({ ...place, field: '', message: `notice: ${field}: ${message}` })
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
