import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { opaBinary } from '../../src/policy/opa-binary.ts'
import { isCurrent } from '../../tools/opa/capabilities.ts'

type Outcome = { readonly passed: number; readonly failures: readonly string[] }

const binary = opaBinary(process.env.OPA_BIN)
const policies = fileURLToPath(new URL('../../policies', import.meta.url))
const base = `${policies}/claimgate`
/** What a policy's input is: that of access decisions is one policy's, each other one a provider's. */
const ACCESS_SCHEMA = 'access.json'
const schemas = readdirSync(`${policies}/schemas`)
const providers = schemas.filter((schema) => schema !== ACCESS_SCHEMA)
const capabilities = `${policies}/capabilities.json`
/** Its own tests read these policies' results many times over with tracing on. */
const TEST_TIMEOUT = '120s'

const outcomes: readonly Outcome[] = [
  opa('every policy is formatted', ['fmt', '--fail', '--list', base]),
  opa('the policy of access decisions fits its input', [
    ...checkedWith(ACCESS_SCHEMA),
    `${base}/access.rego`,
  ]),
  ...providers.map((schema) =>
    opa(`the policies fit the input of ${basename(schema, '.json')}`, [
      ...checkedWith(schema),
      // The tests feed input of other shapes on purpose.
      '--ignore=*_test.rego',
      // Another provider's claims are not in this one's schema.
      ...schemas
        .filter((other) => other !== schema)
        .map((other) => `--ignore=${basename(other, '.json')}.rego`),
      base,
    ]),
  ),
  opa('the tests fit the policies', ['check', '--strict', base]),
  opa('every guardrail is formatted', ['fmt', '--fail', '--list', `${policies}/guardrails`]),
  yesOrNo('policies/capabilities.json is what this OPA gives', isCurrent(binary)),
  opaTests(),
]
const failures = outcomes.flatMap((outcome) => outcome.failures)
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0)
for (const failure of failures) console.log(`FAIL ${failure}`)
console.log(`${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1

function checkedWith(schema: string): readonly string[] {
  return ['check', '--strict', `--schema=${policies}/schemas/${schema}`, `--capabilities=${capabilities}`]
}

function opa(guarantee: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8' })
  return yesOrNo(`${guarantee}\n${stdout}${stderr}`.trim(), status === 0)
}

function opaTests(): Outcome {
  const args = ['test', '--format=json', `--timeout=${TEST_TIMEOUT}`, base]
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  const results = parseResults(stdout)
  if (results === undefined || results.length === 0) {
    return { passed: 0, failures: [`opa test did not run (${status})\n${stderr}`] }
  }
  const tests = results.flatMap(namedCases)
  return {
    passed: tests.filter(({ ok }) => ok).length,
    failures: tests.filter(({ ok }) => !ok).map(({ name }) => name),
  }
}

type TestResult = {
  readonly package: string
  readonly name: string
  readonly fail?: boolean
  readonly error?: unknown
  readonly skip?: boolean
  readonly sub_results?: Readonly<Record<string, { readonly fail?: boolean }>>
}

function parseResults(text: string): readonly TestResult[] | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A test over a table counts as many as it has rows. */
function namedCases(result: TestResult): readonly { readonly name: string; readonly ok: boolean }[] {
  const name = `${result.package}.${result.name}`
  const rows = Object.entries(result.sub_results ?? {})
  const isBroken = result.error !== undefined || result.skip === true
  if (isBroken || rows.length === 0) return [{ name, ok: !isBroken && result.fail !== true }]
  return rows.map(([row, { fail }]) => ({ name: `${name}: ${row}`, ok: fail !== true }))
}

function yesOrNo(name: string, ok: boolean): Outcome {
  return ok ? { passed: 1, failures: [] } : { passed: 0, failures: [name] }
}
