import type { z } from 'zod'
import type { PolicyProblem } from '../../policy/policy-problem.ts'
import type { FileProblem } from '../../policy-file/file-problem.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import { createProgressBar } from '../progress-bar.ts'
import { placeProblem } from './offline-policies.ts'
import { PolicyFileError } from './open-folder.ts'
import { type Change, planAnswer } from './plan-file.ts'
import { type ServiceClient, ServiceError } from './service-client.ts'

/** Asks a service what these files would change there. Throws `PolicyFileError` with what it says of any of them. */
export async function makePlan(
  client: ServiceClient,
  files: readonly PolicyFile[],
  prune: boolean,
): Promise<{ readonly changes: readonly Change[]; readonly unchanged: number }> {
  const changes: Change[] = []
  const emails: string[] = []
  const problems: FileProblem[] = []
  const progress = createProgressBar(process.stderr)
  try {
    for (let from = 0; from < files.length; from += AT_ONCE) {
      const some = files.slice(from, from + AT_ONCE)
      const isLast = from + AT_ONCE >= files.length
      const keep = prune && isLast ? { keep: emails } : {}
      const body = { workloadIdentities: some.map(toWanted), ...keep }
      const answer = await ask(client, body, some, problems)
      problems.push(...findRepeated(some, answer.emails, emails))
      changes.push(...answer.changes)
      emails.push(...answer.emails)
      progress.show(`${from + some.length} identities`, (from + some.length) / files.length)
    }
  } finally {
    progress.end()
  }
  if (problems.length > 0) throw new PolicyFileError(problems)
  const changed = changes.filter(({ action }) => action !== 'DELETE').length
  return { changes, unchanged: emails.length - changed }
}

/** What is compiled within the time that a proxy waits, on a machine that has other things to do. */
export const AT_ONCE = 50

type PlanAnswer = z.infer<typeof planAnswer>

/** What is wrong with some files is kept until all were asked about. */
async function ask(
  client: ServiceClient,
  body: object,
  files: readonly PolicyFile[],
  problems: FileProblem[],
): Promise<PlanAnswer> {
  try {
    return planAnswer.parse(await client.post('/v1/workspaces/default:planPolicies', body))
  } catch (error) {
    const found = error instanceof ServiceError ? placed(error, files) : []
    if (found.length === 0) throw error
    problems.push(...found)
    return { changes: [], emails: [] }
  }
}

/** An id in one file may be an email in another, which only the service knows. */
function findRepeated(
  files: readonly PolicyFile[],
  emails: readonly string[],
  earlier: readonly string[],
): readonly FileProblem[] {
  const known = new Set(earlier)
  return files
    .filter((_, index) => known.has(emails[index] ?? ''))
    .map((file) =>
      file.problemAt([file.givesEmail ? 'email' : 'id'], 'is the identity of another file already'),
    )
}

function toWanted({ id, project, email, givesEmail, body }: PolicyFile): object {
  if (givesEmail) return { workloadIdentity: { ...body, email } }
  return { workloadIdentityId: id, ...(project !== undefined && { project }), workloadIdentity: body }
}

type EntryProblem = {
  readonly index: number
  readonly field: string
  readonly message: string
  readonly problems: readonly PolicyProblem[]
}

/** What the service says of one of the files stands where that file says it. */
function placed(error: ServiceError, files: readonly PolicyFile[]): readonly FileProblem[] {
  const [details] = error.details as readonly [{ readonly problems?: readonly EntryProblem[] }?]
  return (details?.problems ?? []).flatMap(({ index, field, message, problems: found }) => {
    const file = files[index]
    if (file === undefined) return []
    if (found.length > 0) return found.map((problem) => placeProblem(problem, file))
    return [file.problemAt(pathOf(field), message)]
  })
}

/** The path that was written as `workloadIdentityConfig.rules[0].claims['a.b']`. */
function pathOf(field: string): readonly PropertyKey[] {
  return [...field.matchAll(/\[(\d+)\]|\['([^']*)'\]|([^.[\]]+)/g)].map(([, index, quoted, name]) =>
    index === undefined ? (quoted ?? name ?? '') : Number(index),
  )
}
