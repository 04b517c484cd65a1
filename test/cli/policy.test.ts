import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { TestResult } from '../../src/policy-test/policy-test.ts'
import { processEnv } from '../support/service-process.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

const GOOD = `id: deploy
providerType: GITLAB
issuerUrl: https://gitlab.com
rules:
  - id: main
    group: acme
    project: app
    refs: [{ type: BRANCH, pattern: main }]
    roles: [roles/gitopsServiceAgent]
tests:
  - title: main deploys
    claims: &claims
`

const CLAIMS = {
  namespace_path: 'acme',
  project_path: 'acme/app',
  project_id: '20',
  job_project_id: '20',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  pipeline_source: 'push',
}

const HOSTED = `package claimgate.conditions

required := {"hosted": "Only hosted runners."}

met contains "hosted" if input.claims.runner_environment == "gitlab-hosted"
`

/** GOOD with these tests. */
function withTests(...tests: readonly object[]): string {
  return `${GOOD.slice(0, GOOD.indexOf('tests:'))}tests: ${JSON.stringify(tests)}\n`
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function run(...args: readonly string[]) {
  // What a job may have for something else is not read.
  const env = { ...processEnv(), OPA_BIN: process.env.OPA_BIN, DATABASE_URL: 'none', PORT: 'none' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('policy check', () => {
  test('reads the files that are named from where npm is run, not from where claimgate is checked out', () => {
    mkdirSync(join(folder, 'policies'))
    writeFileSync(join(folder, 'policies/deploy.yaml'), withTests())
    const checkout = join(import.meta.dirname, '../..')

    const { status, stdout, stderr } = spawnSync(
      'npm',
      ['--prefix', checkout, 'run', '--silent', 'claimgate', '--', 'policy', 'check', 'policies'],
      { cwd: folder, env: { ...processEnv(), OPA_BIN: process.env.OPA_BIN }, encoding: 'utf8' },
    )

    assert.deepEqual([status, stdout], [0, '1 identity, no problem.\n'], stderr)
  })

  test('ends with 0 where nothing is wrong', () => {
    writeFileSync(join(folder, 'deploy.yaml'), withTests())

    const checked = run('policy', 'check', folder)

    assert.deepEqual(checked, { status: 0, stdout: '1 identity, no problem.\n', stderr: '' })
  })

  test('ends with 1 and names file, line, column and field', () => {
    writeFileSync(join(folder, 'deploy.yaml'), GOOD)

    const checked = run('policy', 'check', folder)
    const asJson = run('policy', 'check', folder, '--json')

    assert.equal(checked.status, 1)
    assert.match(
      checked.stdout,
      /deploy\.yaml:\d+:\d+: tests\[0\]\.claims: the anchor 'claims' is not read\n/,
    )
    assert.equal(asJson.status, 1)
    assert.equal(JSON.parse(asJson.stdout).problems[0].field, 'tests[0].claims')
  })

  test('names the line of the conditions that stand in a file beside', () => {
    writeFileSync(join(folder, 'deploy.yaml'), withTests())
    writeFileSync(join(folder, 'deploy.rego'), `${HOSTED}\nmet contains "x" if input.claims.nothing == "x"\n`)

    const checked = run('policy', 'check', folder)

    assert.equal(checked.status, 1)
    assert.match(
      checked.stdout,
      /deploy\.rego:7:\d+: \w+: undefined ref: input\.claims\.nothing\. There is no such claim /,
    )
  })

  test('names what is wrong in the Rego of one identity also beside a file that cannot be read', () => {
    writeFileSync(join(folder, 'bad.yaml'), GOOD)
    writeFileSync(join(folder, 'deploy.yaml'), withTests())
    writeFileSync(join(folder, 'deploy.rego'), HOSTED.replace('if input', 'input'))

    const checked = run('policy', 'check', folder)
    const env = { ...processEnv(), OPA_BIN: join(folder, 'none') }
    const args = [MAIN, 'policy', 'check', folder]
    const withoutCompiler = spawnSync(process.execPath, args, { env, encoding: 'utf8' })

    assert.equal(checked.status, 1)
    assert.match(checked.stdout, /bad\.yaml:\d+:\d+: tests\[0\]\.claims: .*\n.*deploy\.rego:5:\d+: \w+: /)
    assert.match(checked.stdout, /\n2 problems\.\n$/)
    assert.equal(withoutCompiler.status, 1)
    assert.match(withoutCompiler.stdout, /bad\.yaml.*\n1 problem\.\n$/)
    assert.match(withoutCompiler.stderr, /no Rego compiler/)
  })

  test('gives the notices of a save where they stand in the file, and finds nothing wrong', () => {
    const misspelt = withTests().replace('    roles:', '    claims: { enviroment: [production] }\n    roles:')
    writeFileSync(join(folder, 'deploy.yaml'), misspelt)

    const checked = run('policy', 'check', folder)
    const asJson = run('policy', 'check', folder, '--json')

    assert.deepEqual([checked.status, checked.stdout], [0, '1 identity, no problem.\n'])
    assert.match(
      checked.stderr,
      /deploy\.yaml:9:27: notice: rules\[0\]\.claims\.enviroment: 'enviroment' is no claim .* \(did you mean 'environment'\?\)/,
    )
    const [notice] = JSON.parse(asJson.stdout).notices
    assert.deepEqual([notice.line, notice.field], [9, 'rules[0].claims.enviroment'])
  })

  test('says of each role that only a service can know so, and finds nothing wrong with it', () => {
    writeFileSync(
      join(folder, 'deploy.yaml'),
      withTests().replace('[roles/gitopsServiceAgent]', '[roles/dba, roles/auditr]'),
    )
    writeFileSync(
      join(folder, 'other.yaml'),
      withTests().replace('id: deploy', 'id: other').replace('[roles/gitopsServiceAgent]', '[roles/dba]'),
    )

    for (const command of ['check', 'test']) {
      const { status, stderr } = run('policy', command, folder)

      const lines = stderr.split('\n').filter((line) => line.includes('roles/'))
      assert.equal(status, 0, stderr)
      assert.equal(lines.length, 2, stderr)
      assert.match(lines[0] ?? '', /deploy\.yaml: roles\/dba is not built in: .* only the service knows/)
      assert.match(lines[1] ?? '', /roles\/auditr is not built in \(the nearest is roles\/auditor\)/)
    }
  })

  test('ends with 2 where it could not run', () => {
    for (const args of [[join(folder, 'none')], [folder], []]) {
      const { status, stdout, stderr } = run('policy', 'check', ...args)

      assert.deepEqual([status, stdout], [2, ''])
      assert.notEqual(stderr, '')
    }
  })
})

describe('policy test', () => {
  test('judges by the conditions that stand in a file beside', () => {
    const hosted = { ...CLAIMS, runner_environment: 'gitlab-hosted' }
    writeFileSync(join(folder, 'deploy.rego'), HOSTED)
    writeFileSync(
      join(folder, 'deploy.yaml'),
      withTests(
        { title: 'hosted', claims: hosted, expect: 'ALLOWED' },
        { title: 'other', claims: CLAIMS, expect: 'DENIED', reason: 'denied_by_conditions' },
      ),
    )

    const { status, stdout } = run('policy', 'test', folder)

    assert.equal(status, 0, stdout)
    assert.match(stdout, /2 tests, 0 failed/)
    assert.ok(run('policy', 'show', folder).stdout.includes(`# conditions.rego\n${HOSTED}`))
  })

  test('runs each test through the policy, and ends with 0 where all come out as they say', () => {
    const tests = [
      { title: 'main deploys', claims: CLAIMS, expect: 'ALLOWED' },
      {
        title: 'a branch does not',
        claims: { ...CLAIMS, ref: 'x', ref_path: 'refs/heads/x' },
        expect: 'DENIED',
      },
      { title: 'an outsider does not', claims: {}, expect: 'DENIED', reason: 'condition_not_met' },
    ]
    writeFileSync(join(folder, 'deploy.yaml'), withTests(...tests))

    const { status, stdout } = run('policy', 'test', folder, '--json')

    assert.equal(status, 0)
    assert.deepEqual(
      JSON.parse(stdout).files[0].tests.map((each: TestResult) => [
        each.title,
        each.passed,
        each.actual.reason,
      ]),
      [
        ['main deploys', true, 'allowed'],
        ['a branch does not', true, 'condition_not_met'],
        ['an outsider does not', true, 'condition_not_met'],
      ],
    )
  })

  test('ends with 1 and explains what came out otherwise', () => {
    writeFileSync(
      join(folder, 'deploy.yaml'),
      withTests(
        { title: 'a', claims: { ...CLAIMS, ref_protected: 'false' }, expect: 'ALLOWED' },
        { title: 'b', claims: CLAIMS, expect: 'DENIED' },
        { title: 'c', claims: {}, expect: 'DENIED', reason: 'denied_by_conditions' },
      ),
    )

    const { status, stdout } = run('policy', 'test', folder)

    assert.equal(status, 1)
    assert.match(
      stdout,
      /FAIL {2}Test 'a' expects ALLOWED, but an exchange would be DENIED .*rule 'main': protected_ref is not met \(ref_protected is "false"/,
    )
    assert.match(
      stdout,
      /FAIL {2}Test 'b' expects DENIED, but an exchange would be ALLOWED: rule 'main' is met/,
    )
    assert.match(
      stdout,
      /FAIL {2}Test 'c' expects DENIED \(denied_by_conditions\), but an exchange would be DENIED \(condition_not_met\)/,
    )
    assert.match(stdout, /3 tests, 3 failed/)
  })
})

describe('policy show', () => {
  test('prints the Rego that a file becomes, and with --json all that its digest names', () => {
    const file = join(folder, 'deploy.yaml')
    writeFileSync(file, withTests())

    const shown = run('policy', 'show', file)
    const [policy] = JSON.parse(run('policy', 'show', folder, '--json').stdout).policies

    assert.equal(shown.status, 0)
    assert.ok(shown.stdout.includes(`# ${policy.digest}\n# rules.rego\npackage claimgate\n\nrules := [`))
    assert.equal(policy.email, 'deploy@workload.claimgate.internal')
    assert.deepEqual(
      policy.modules.map(({ path }: { path: string }) => path),
      [
        'claimgate/gitlab.rego',
        'claimgate/paths.rego',
        'claimgate/refs.rego',
        'claimgate/verdict.rego',
        'claimgate/words.rego',
        'rules.rego',
      ],
    )
  })
})

const GUARDRAILS = HOSTED.replace('claimgate.conditions', 'claimgate.guardrails')
const GUARDRAILS_TESTS = `tests:
  - title: own
    claims: { runner_environment: self-hosted }
    expect: DENIED
    reason: hosted
`

describe('guardrails at the root of a folder', () => {
  beforeEach(() => {
    writeFileSync(join(folder, 'deploy.yaml'), withTests())
    writeFileSync(join(folder, 'guardrails.rego'), GUARDRAILS)
    writeFileSync(join(folder, 'guardrails.tests.yaml'), GUARDRAILS_TESTS)
  })

  test('are checked, tested and shown beside the identities', () => {
    const checked = run('policy', 'check', folder)
    const tested = run('policy', 'test', folder)
    const shown = run('policy', 'show', folder)
    const asJson = JSON.parse(run('policy', 'show', folder, '--json').stdout)

    assert.deepEqual([checked.status, checked.stdout], [0, '1 identity and the guardrails, no problem.\n'])
    assert.equal(tested.status, 0, tested.stdout)
    assert.match(tested.stdout, /guardrails\.rego\n {2}ok {4}own\n[\s\S]*1 tests, 0 failed/)
    assert.ok(shown.stdout.includes(`# ${asJson.guardrails.digest}\n# guardrails.rego\n${GUARDRAILS}`))
    assert.equal(asJson.policies.length, 1)
  })

  test('are told of by line and column where they are wrong, and by title where a test fails', () => {
    writeFileSync(join(folder, 'guardrails.tests.yaml'), GUARDRAILS_TESTS.replace('DENIED', 'ALLOWED'))
    const tested = run('policy', 'test', folder)
    writeFileSync(join(folder, 'guardrails.rego'), GUARDRAILS.replace('if input', 'input'))
    const checked = run('policy', 'check', folder)

    assert.equal(tested.status, 1)
    assert.match(tested.stdout, /FAIL {2}Test 'own' expects ALLOWED/)
    assert.equal(checked.status, 1)
    assert.match(checked.stdout, /guardrails\.rego:5:\d+: \w+: /)
  })

  test('are what identities are tested beside', () => {
    const other = { title: 'other', claims: CLAIMS, expect: 'ALLOWED' }
    writeFileSync(join(folder, 'deploy.yaml'), withTests(other))

    const beside = run('policy', 'test', folder)
    rmSync(join(folder, 'guardrails.tests.yaml'))
    writeFileSync(join(folder, 'guardrails.rego'), '\n')
    const removed = run('policy', 'test', folder)

    assert.equal(beside.status, 1, beside.stdout)
    assert.match(beside.stdout, /guardrail 'hosted' is not met/)
    assert.equal(removed.status, 0, removed.stdout)
  })
})
