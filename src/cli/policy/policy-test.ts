import { styleText } from 'node:util'
import type { TestResult } from '../../policy-test/policy-test.ts'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { openOfflinePolicies } from './offline-policies.ts'
import { openPolicyFolder } from './open-folder.ts'
import { roleNotices } from './role-notices.ts'

type FileResults = { readonly file: string; readonly email?: string; readonly tests: readonly TestResult[] }

/** `claimgate policy test`: runs the tests of a folder's identities, without a service. */
export const policyTestCommand: ClientCommand = {
  usage: 'FOLDER [--json]',
  does: 'runs the tests in the identities of a folder (or one file); needs no service',
  flags: { json: { type: 'boolean' } },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [path = ''] }) {
    const { files, guardrails } = openPolicyFolder(config, path)
    for (const notice of roleNotices(files)) process.stderr.write(`${notice}\n`)
    const policies = await openOfflinePolicies(config, guardrails)
    try {
      const ofGuardrails =
        guardrails === undefined
          ? []
          : [{ file: guardrails.file, tests: await policies.runGuardrailsTests() }]
      const ofIdentities = await Promise.all(
        files.map(async (file): Promise<FileResults> => {
          return { file: file.file, email: file.email, tests: await policies.runTests(file) }
        }),
      )
      const results: readonly FileResults[] = [...ofGuardrails, ...ofIdentities]
      process.stdout.write(
        flags.json === true ? `${JSON.stringify({ files: results })}\n` : describe(results),
      )
      return results.every(({ tests }) => tests.every(({ passed }) => passed)) ? DONE : FOUND_SOMETHING
    } finally {
      await policies.close()
    }
  },
}

/** A line for each test, with its reason where it failed, and one that sums up. */
function describe(results: readonly FileResults[]): string {
  const tests = results.flatMap((result) => result.tests)
  const failed = tests.filter(({ passed }) => !passed).length
  const without = results.filter((result) => result.tests.length === 0).map(({ file }) => file)
  const lines = results.flatMap(({ file, tests: own }) => [
    ...(own.length === 0 ? [] : [file]),
    ...own.map(({ title, passed, message }) =>
      passed ? `  ${styleText('green', 'ok')}    ${title}` : `  ${styleText('red', 'FAIL')}  ${message}`,
    ),
  ])
  const sum = `${tests.length} tests, ${failed} failed; without tests: ${without.length} of ${results.length} files.`
  return `${[...lines, sum].join('\n')}\n`
}
