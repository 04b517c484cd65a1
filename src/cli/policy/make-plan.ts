import type { z } from 'zod'
import type { PolicyProblem } from '../../policy/policy-problem.ts'
import type { FileProblem } from '../../policy-file/file-problem.ts'
import type { GuardrailsFiles } from '../../policy-file/read-guardrails-files.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import { createProgressBar } from '../progress-bar.ts'
import { placeGuardrailsProblem, placeProblem } from './offline-policies.ts'
import { PolicyFileError } from './open-folder.ts'
import { type Change, type Changes, type GuardrailsChange, planAnswer } from './plan-file.ts'
import { type ServiceClient, ServiceError } from './service-client.ts'

/** What a folder says; without `guardrails` they are left alone. */
type Folder = { readonly files: readonly PolicyFile[]; readonly guardrails: GuardrailsFiles | undefined }

/** `prune`: all other identities are to go; `days`: of how many the decisions are looked at, where the default will not do. */
export type PlanOptions = { readonly prune: boolean; readonly days?: number | undefined }

/** `fileOf`: the file of an identity by the email that it has in the service. */
export type MadePlan = Changes & {
  readonly unchanged: number
  readonly fileOf: (email: string) => PolicyFile | undefined
}

/** Asks a service what these files would change there. Throws `PolicyFileError` with what it says of any of them. */
export async function makePlan(
  client: ServiceClient,
  { files, guardrails }: Folder,
  { prune, days }: PlanOptions,
): Promise<MadePlan> {
  if (prune && files.length === 0) {
    throw new Error('--prune would delete all identities: there is no file of one in the folder.')
  }
  const changes: Change[] = []
  const emails: string[] = []
  const problems: FileProblem[] = []
  let guardrailsChange: GuardrailsChange | undefined
  const wanted = guardrails && { source: guardrails.source, tests: guardrails.tests }
  const progress = createProgressBar(process.stderr)
  try {
    // Once even without files, for the guardrails; and with each of them, as identities' tests are run beside them.
    for (let from = 0; from === 0 || from < files.length; from += AT_ONCE) {
      const some = files.slice(from, from + AT_ONCE)
      const isLast = from + AT_ONCE >= files.length
      const keep = prune && isLast ? { keep: emails } : {}
      // What they would do to all is the same each time.
      const beside = wanted && { ...wanted, withImpact: from === 0 }
      const body = { workloadIdentities: some.map(toWanted), ...keep, guardrails: beside }
      const answer = await ask(client, body, { files: some, guardrails }, problems, days)
      guardrailsChange ??= answer.guardrails
      problems.push(...findRepeated(some, answer.emails, emails))
      changes.push(...answer.changes)
      emails.push(...answer.emails)
      progress.show(`${from + some.length} identities`, (from + some.length) / Math.max(1, files.length))
    }
  } finally {
    progress.end()
  }
  if (problems.length > 0) throw new PolicyFileError(problems)
  const changed = changes.filter(({ action }) => action !== 'DELETE').length
  return {
    changes,
    guardrails: guardrailsChange && withoutChanged(guardrailsChange, changes),
    unchanged: emails.length - changed,
    fileOf: (email) => files[emails.indexOf(email)],
  }
}

/** The tests of what changes too are run as they will be; of each part of a plan the service knows that part only. */
function withoutChanged(
  { failingTests, ...guardrails }: GuardrailsChange,
  changes: readonly Change[],
): GuardrailsChange {
  if (failingTests === undefined) return guardrails
  const changed = new Set(changes.map(({ email }) => email))
  const identities = failingTests.identities.filter(({ email }) => !changed.has(email))
  const count = failingTests.count - failingTests.identities.length + identities.length
  if (count === 0 && failingTests.isComplete) return guardrails
  return { ...guardrails, failingTests: { ...failingTests, count, identities } }
}

/** What is compiled within the time that a proxy waits, on a machine that has other things to do. */
export const AT_ONCE = 50

type PlanAnswer = z.infer<typeof planAnswer>

/** What is wrong with some files is kept until all were asked about. */
async function ask(
  client: ServiceClient,
  body: object,
  { files, guardrails }: Folder,
  problems: FileProblem[],
  days: number | undefined,
): Promise<PlanAnswer> {
  const query = days === undefined ? '' : `?days=${days}`
  try {
    return planAnswer.parse(await client.post(`/v1/workspaces/default:planPolicies${query}`, body))
  } catch (error) {
    // They are the same for all.
    const wrong = error instanceof ServiceError ? placedInGuardrails(error, guardrails) : []
    if (wrong.length > 0) throw new PolicyFileError(wrong)
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

type GuardrailsDetails = {
  readonly problems?: readonly (PolicyProblem | EntryProblem)[]
  readonly tests?: readonly { readonly title: string; readonly message: string }[]
}

function placedInGuardrails(
  error: ServiceError,
  guardrails: GuardrailsFiles | undefined,
): readonly FileProblem[] {
  const [details] = error.details as readonly [GuardrailsDetails?]
  if (guardrails === undefined || details === undefined) return []
  const { problems = [], tests = [] } = details
  return [
    ...problems.flatMap((problem) =>
      'index' in problem ? [] : [placeGuardrailsProblem(problem, guardrails)],
    ),
    ...tests.map(({ title, message }) => guardrails.problemOfTest(title, message)),
  ]
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
