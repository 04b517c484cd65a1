import type { ZodObject } from 'zod'
import type { FieldHint, FieldProblem } from '../fields/describe-issue.ts'
import { fieldPath } from '../fields/field-path.ts'
import { findFieldProblems } from '../fields/read-fields.ts'
import type { findIdentityProblems } from '../identity/parse-workload-identity.ts'
import type { WorkloadIdentityBody } from '../identity/workload-identity-schema.ts'
import type { FileProblem } from './file-problem.ts'
import { CONDITIONS, type IdentityShapes, toFilePath, toIdentityBody } from './policy-file-schema.ts'
import { readYaml, type YamlFile } from './read-yaml.ts'

/** An identity as a file has it; its meaning, but for what only the service knows, is right. */
export type PolicyFile = {
  readonly file: string
  /** The file of its conditions, where it has one. */
  readonly conditionsFile: string | undefined
  /** As far as it is known without the service, whose domain may be another where the file gives none. */
  readonly email: string
  readonly id: string
  /** Undefined where the file gives an email, of which only the service knows what is its domain. */
  readonly project: string | undefined
  /** Whether the file gives the email itself. */
  readonly givesEmail: boolean
  readonly body: WorkloadIdentityBody
  /** A problem of a field of the resource, where it stands. */
  problemAt(path: readonly PropertyKey[], message: string): FileProblem
}

export type PolicyFileReader = {
  readonly schema: ZodObject
  readonly shapes: IdentityShapes
  readonly identityDomain: string
  /** Says what is wrong with a role that a rule names, as far as it is known without a service. */
  readonly findRoleProblem: (role: string) => string | undefined
  readonly tokenLifetimeSeconds: number
  readonly findIdentityProblems: typeof findIdentityProblems
  /** Says what is wrong with an id, or undefined. */
  readonly checkId: (id: string) => string | undefined
  readonly emailOf: (id: string, domain: string, projectId?: string) => string
  readonly isProjectId: (text: string) => boolean
}

export type ReadPolicyFile =
  | { readonly ok: true; readonly policyFile: PolicyFile }
  | { readonly ok: false; readonly problems: readonly FileProblem[] }

/** More would not be read. */
const MAX_PROBLEMS = 20

/** Reads an identity's file, and its conditions where there are any. All that is wrong with it is found at once. */
export function readPolicyFile(
  reader: PolicyFileReader,
  file: string,
  text: string,
  conditions?: { readonly file: string; readonly source: string },
): ReadPolicyFile {
  const read = readYaml(text)
  if (!read.ok) {
    return refused(
      read.problems.map(({ path, message, place }) => ({ file, ...place, field: fieldPath(path), message })),
    )
  }
  const yaml = read.file
  const at = (problem: FieldProblem) => placed(file, yaml, problem)
  if (typeof yaml.value !== 'object' || yaml.value === null || Array.isArray(yaml.value)) {
    return refused([
      at({ path: [], message: 'must be the fields of an identity: id, title, issuerUrl, rules, …' }),
    ])
  }
  const fields = yaml.value as Readonly<Record<string, unknown>>
  const shapeProblems = findFieldProblems(reader.schema, fields, hint).map(at)
  const nameProblems = [...findNameProblems(reader, fields)].map(at)
  if (shapeProblems.length + nameProblems.length > 0) return refused([...shapeProblems, ...nameProblems])

  const { id, project, email } = nameOf(reader, fields)
  const given = conditions === undefined ? fields : { ...fields, [CONDITIONS]: conditions.source }
  const body = toIdentityBody(given, reader.shapes) as WorkloadIdentityBody
  const problemAt = (path: readonly PropertyKey[], message: string): FileProblem => {
    const filePath = toFilePath(path)
    if (filePath[0] !== CONDITIONS || conditions === undefined) return at({ path: filePath, message })
    return { file: conditions.file, line: 1, column: 1, field: '', message }
  }
  const { state: _, ...withoutState } = body
  const problems = reader.findIdentityProblems(withoutState, { ...reader, email })
  if (problems.length > 0) return refused(problems.map(({ path, message }) => problemAt(path, message)))
  const givesEmail = fields.email !== undefined
  return {
    ok: true,
    policyFile: {
      file,
      conditionsFile: conditions?.file,
      email,
      id,
      project,
      givesEmail,
      body,
      problemAt,
    },
  }
}

function refused(problems: readonly FileProblem[]): ReadPolicyFile {
  const more = problems.length - MAX_PROBLEMS
  const last = problems[MAX_PROBLEMS]
  if (last === undefined) return { ok: false, problems }
  return {
    ok: false,
    problems: [
      ...problems.slice(0, MAX_PROBLEMS),
      { ...last, field: '', message: `and ${more} more problems from here on` },
    ],
  }
}

/** A field that is none is shown by its name, any other by its value; a number as it was written. */
function placed(file: string, yaml: YamlFile, { path, message }: FieldProblem): FileProblem {
  const isName = message.startsWith('is not a field') || message.startsWith('stands in ')
  const place = isName ? yaml.placeOfName(path) : yaml.placeOf(path)
  const source = yaml.sourceOf(path)
  const shown =
    source === undefined ? message : message.replace(/write ".*" in quotes$/, `write "${source}" in quotes`)
  return { file, ...place, field: fieldPath(path), message: shown }
}

const hint: FieldHint = (path, value) => {
  if (path.length !== 1) return undefined
  if (path[0] === 'state' && value === 'DELETED') {
    return "must be 'ACTIVE' or 'DISABLED': an identity is deleted by removing its file and planning with --prune"
  }
  if (path[0] === CONDITIONS) return 'stands in a file of its own: NAME.rego beside NAME.yaml'
  if (path[0] === 'workloadIdentityConfig')
    return 'is not a field of a file: what is in it stands here at the top'
  return undefined
}

function* findNameProblems(
  reader: PolicyFileReader,
  { id, project, email }: Readonly<Record<string, unknown>>,
): Generator<FieldProblem> {
  if (id === undefined && email === undefined) {
    yield { path: [], message: 'id is required, the part of its email before @; or give the email' }
  }
  if (email !== undefined && (id !== undefined || project !== undefined)) {
    yield { path: ['email'], message: 'says id and project already: give the one or the others' }
  }
  const idProblem = typeof id === 'string' ? reader.checkId(id) : undefined
  if (idProblem !== undefined) yield { path: ['id'], message: idProblem }
  if (typeof project === 'string' && !reader.isProjectId(project)) {
    yield { path: ['project'], message: 'is not the id of a project: lower-case letters, digits and -' }
  }
  if (typeof email !== 'string') return
  const [local = '', domain = ''] = email.split('@')
  const emailProblem = domain === '' ? 'must be ID@DOMAIN' : reader.checkId(local)
  if (emailProblem !== undefined) yield { path: ['email'], message: emailProblem }
}

function nameOf(
  reader: PolicyFileReader,
  fields: Readonly<Record<string, unknown>>,
): { readonly id: string; readonly project: string | undefined; readonly email: string } {
  if (typeof fields.email === 'string') {
    return { id: fields.email.split('@')[0] ?? '', project: undefined, email: fields.email }
  }
  const id = String(fields.id)
  const project = typeof fields.project === 'string' ? fields.project : undefined
  return { id, project, email: reader.emailOf(id, reader.identityDomain, project) }
}
