import { type Dirent, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { decodeUtf8 } from '../json.ts'
import { type FileProblem, sortFileProblems } from './file-problem.ts'
import {
  type FileText,
  GUARDRAILS_REGO,
  GUARDRAILS_TESTS,
  type GuardrailsFiles,
  type GuardrailsTestsSchema,
  readGuardrailsFiles,
} from './read-guardrails-files.ts'
import { type PolicyFile, type PolicyFileReader, readPolicyFile } from './read-policy-file.ts'

export type PolicyFolder = {
  readonly files: readonly PolicyFile[]
  /** Absent where the folder says nothing of them. */
  readonly guardrails: GuardrailsFiles | undefined
  readonly problems: readonly FileProblem[]
}

/** What a request may carry, and far more than anybody reads. */
const MAX_FILE_BYTES = 524_288
const MAX_FILES = 20_000
const YAML = /\.ya?ml$/
const REGO = /\.rego$/
const READ = /\.(ya?ml|rego)$/i

/**
 * Reads all identities of a folder and of those in it, or of one file; names that begin with a dot are left alone. All
 * that is wrong with them is found at once. A folder may have the guardrails at its root. Throws where there is neither:
 * an empty folder is more likely the wrong one.
 */
export function readPolicyFolder(
  reader: PolicyFileReader & { readonly guardrailsTests: GuardrailsTestsSchema },
  path: string,
): PolicyFolder {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) throw new Error(`There is no folder or file ${path}.`)
  const all = status.isDirectory() ? listFiles(path) : withConditions(path)
  const atRoot = (name: string) => all.find((file) => file === join(path, name))
  const [regoFile, testsFile] = [atRoot(GUARDRAILS_REGO), atRoot(GUARDRAILS_TESTS)]
  const paths = new Set(all.filter((file) => file !== regoFile && file !== testsFile))
  const yamlFiles = [...paths].filter((file) => YAML.test(file))
  const linkedFolders = status.isDirectory() ? all.filter((file) => !READ.test(file)) : []
  if (yamlFiles.length === 0 && regoFile === undefined && linkedFolders.length === 0)
    throw new Error(`There is no YAML file in ${path}.`)
  if (paths.size > MAX_FILES) throw new Error(`There are more than ${MAX_FILES} files in ${path}.`)

  const problems = linkedFolders.map((link) => aboutAll(link, 'is a link, and links are not followed'))
  const read = (file: string): string | undefined => {
    const found = readText(file)
    if (!found.ok) problems.push(aboutAll(file, found.problem))
    return found.ok ? found.text : undefined
  }
  const readWhole = (file: string | undefined): FileText | undefined => {
    const text = file === undefined ? undefined : read(file)
    return file === undefined || text === undefined ? undefined : { file, text }
  }
  const [rego, tests] = [readWhole(regoFile), readWhole(testsFile)]
  const guardrails = rego && readGuardrailsFiles(reader.guardrailsTests, rego, tests)
  if (guardrails?.ok === false) problems.push(...guardrails.problems)
  if (regoFile === undefined && testsFile !== undefined) {
    problems.push(aboutAll(testsFile, `tests no guardrails: there is no ${join(path, GUARDRAILS_REGO)}`))
  }
  const files = yamlFiles.flatMap((file) => {
    const conditionsFile = file.replace(YAML, '.rego')
    if (conditionsFile === regoFile) {
      problems.push(
        aboutAll(file, `needs another name: ${regoFile} beside it is the guardrails, not its conditions`),
      )
    }
    const source = paths.has(conditionsFile) ? read(conditionsFile) : undefined
    const text = read(file)
    if (text === undefined) return []
    const conditions = source === undefined ? undefined : { file: conditionsFile, source }
    const found = readPolicyFile(reader, file, text, conditions)
    if (found.ok) return [found.policyFile]
    problems.push(...found.problems)
    return []
  })
  const stems = new Set(yamlFiles.map((file) => file.replace(YAML, '')))
  for (const file of paths) {
    // Left out in silence an identity could be deleted for it, or lose its conditions.
    if (READ.test(file) && !YAML.test(file) && !REGO.test(file)) {
      problems.push(aboutAll(file, 'must end in small letters: .yaml, .yml or .rego'))
    }
    const stem = file.replace(REGO, '')
    if (stem !== file && !stems.has(stem)) {
      problems.push(aboutAll(file, `belongs to no identity: there is no ${stem}.yaml`))
    }
  }
  return {
    files,
    guardrails: guardrails?.ok ? guardrails.guardrails : undefined,
    problems: sortFileProblems([...problems, ...findSameEmails(files)]),
  }
}

/** Two files for one identity would overwrite each other; an id without a domain may be the same as an email. */
function findSameEmails(files: readonly PolicyFile[]): readonly FileProblem[] {
  const first = new Map<string, PolicyFile>()
  return files.flatMap((policyFile) => {
    const { email, givesEmail } = policyFile
    const other = first.get(email)
    if (other === undefined) {
      first.set(email, policyFile)
      return []
    }
    return [
      policyFile.problemAt(
        [givesEmail ? 'email' : 'id'],
        `${email} is the identity of ${other.file} already`,
      ),
    ]
  })
}

/**
 * In the order of their names. Links are among them, those to folders too, so that they are refused: what they lead to is
 * deleted where it is taken to be gone.
 */
function listFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return listFiles(path)
      return READ.test(entry.name) || mayBeLinkedFolder(entry, path) ? [path] : []
    })
}

/** One that leads nowhere may have led to a folder. */
function mayBeLinkedFolder(entry: Dirent, path: string): boolean {
  return entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isFile() !== true
}

function withConditions(file: string): readonly string[] {
  const conditions = file.replace(YAML, '.rego')
  return statSync(conditions, { throwIfNoEntry: false }) === undefined ? [file] : [file, conditions]
}

type ReadText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string }

function readText(file: string): ReadText {
  const status = lstatSync(file)
  if (!status.isFile()) return { ok: false, problem: 'is no regular file, and links are not followed' }
  if (status.size > MAX_FILE_BYTES) {
    return { ok: false, problem: `is larger than ${MAX_FILE_BYTES / 1024} KiB` }
  }
  const text = decodeUtf8(readFileSync(file))
  return text === undefined ? { ok: false, problem: 'is not UTF-8' } : { ok: true, text }
}

function aboutAll(file: string, message: string): FileProblem {
  return { file, line: 1, column: 1, field: '', message }
}
