import type { ZodType } from 'zod'
import { fieldPath } from '../fields/field-path.ts'
import { findFieldProblems } from '../fields/read-fields.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'
import type { FileProblem } from './file-problem.ts'
import { readYaml } from './read-yaml.ts'

/** The names of the files at the root of a folder that are the organisation's guardrails. */
export const GUARDRAILS_REGO = 'guardrails.rego'
export const GUARDRAILS_TESTS = 'guardrails.tests.yaml'

/** The guardrails as files have them; `source` '': there are to be none. */
export type GuardrailsFiles = {
  readonly file: string
  readonly source: string
  readonly tests: readonly GuardrailsTest[]
  /** A problem of the test of this title, where it stands. */
  problemOfTest(title: string, message: string): FileProblem
}

export type FileText = { readonly file: string; readonly text: string }

export type ReadGuardrailsFiles =
  | { readonly ok: true; readonly guardrails: GuardrailsFiles }
  | { readonly ok: false; readonly problems: readonly FileProblem[] }

/** The shape of the file of their tests: those of the API, which read them. */
export type GuardrailsTestsSchema = ZodType<{ readonly tests: readonly GuardrailsTest[] }>

/** Reads the guardrails' Rego, and their tests where there are any; Rego of nothing but blanks removes them. */
export function readGuardrailsFiles(
  schema: GuardrailsTestsSchema,
  rego: FileText,
  tests: FileText | undefined,
): ReadGuardrailsFiles {
  const source = rego.text.trim() === '' ? '' : rego.text
  const { file } = rego
  if (tests === undefined) {
    const problemOfTest = (_: string, message: string) => ({ file, line: 1, column: 1, field: '', message })
    return { ok: true, guardrails: { file, source, tests: [], problemOfTest } }
  }
  const read = readTests(schema, tests)
  if (!read.ok) return read
  if (source !== '') return { ok: true, guardrails: { file, source, ...read } }
  // What was emptied by mistake would remove them all.
  const message = `${file} is empty, which removes the guardrails: remove their tests too`
  return { ok: false, problems: [{ file: tests.file, line: 1, column: 1, field: '', message }] }
}

function readTests(schema: GuardrailsTestsSchema, { file, text }: FileText) {
  const yaml = readYaml(text)
  if (!yaml.ok) {
    const problems = yaml.problems.map(({ path, message, place }) => ({
      file,
      ...place,
      field: fieldPath(path),
      message,
    }))
    return { ok: false, problems } as const
  }
  const { value, placeOf, placeOfName } = yaml.file
  const problemAt = (path: readonly PropertyKey[], message: string): FileProblem => ({
    file,
    ...placeOf(path),
    field: fieldPath(path),
    message,
  })
  const problems = findFieldProblems(schema, value).map(({ path, message }) => {
    const isName = message.startsWith('is not a field')
    return { ...problemAt(path, message), ...(isName && placeOfName(path)) }
  })
  if (problems.length > 0) return { ok: false, problems } as const
  const { tests } = value as { readonly tests: readonly GuardrailsTest[] }
  const problemOfTest = (title: string, message: string) => {
    const index = tests.findIndex((test) => test.title === title)
    return problemAt(['tests', ...(index < 0 ? [] : [index])], message)
  }
  return { ok: true, tests, problemOfTest } as const
}
