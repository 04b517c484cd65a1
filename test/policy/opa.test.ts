import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createOpa, type PolicyModule } from '../../src/policy/opa.ts'
import { NO_COMPILER, OPA_VERSION } from '../../src/policy/opa-binary.ts'
import { capabilities, realOpa, schema, silent } from './policy-world.ts'

const opa = realOpa()
const conditions = (...lines: readonly string[]): readonly PolicyModule[] => [
  { path: 'conditions.rego', source: ['package claimgate.conditions', '', ...lines, ''].join('\n') },
]
const check = (...lines: readonly string[]) => opa.check(conditions(...lines), { schema, capabilities })

test('the compiler is the one that is pinned', async () => {
  assert.equal(await opa.version(), OPA_VERSION)
})

describe('problems are told with their place', () => {
  test('a claim that GitLab does not send, with the one that was meant', async () => {
    const checked = await check('met contains "x" if input.claims.runner_enviroment == "gitlab-hosted"')

    assert.deepEqual(checked, {
      ok: false,
      problems: [
        {
          code: 'rego_type_error',
          message: 'undefined ref: input.claims.runner_enviroment',
          hint: 'Did you mean runner_environment?',
          file: 'conditions.rego',
          row: 3,
          column: 21,
        },
      ],
    })
  })

  test('a name that is like none is told to be none', async () => {
    const checked = await check('x := input.claims.zzzzzz')

    assert.ok(!checked.ok)
    assert.match(checked.problems[0]?.hint ?? '', /no such claim/)
  })

  for (const [what, ...lines] of [
    ['a name in what is a text', 'met contains "x" if input.claims.ref.x == "y"'],
    [
      'a name in a list',
      'parts := split(input.claims.ref, "/")',
      'met contains "x" if parts.first == "main"',
    ],
    ['a place that a list does not have', 'l := ["main"]', 'met contains "x" if l[5] == input.claims.ref'],
    ['a name in an empty object', 'x := {}', 'met contains "x" if x.foo == input.claims.ref'],
    ['a name in a set', 'x := {1, 2}', 'met contains "x" if x.foo == input.claims.ref'],
    ['a rule named input', 'input := {"claims": {"ref": "main"}}'],
  ] as const) {
    test(`${what} is a problem with its line, where OPA has no names to offer`, async () => {
      const checked = await check(...lines)

      assert.ok(!checked.ok)
      const [problem] = checked.problems
      assert.deepEqual([problem?.file, problem?.row], ['conditions.rego', 2 + lines.length])
      assert.match(problem?.code ?? '', /^rego_/)
    })
  }

  const forbidden = [
    'http.send({})',
    'time.now_ns()',
    'glob.match("a", [], "a")',
    'sprintf("%v", [1])',
    'opa.runtime()',
  ]
  for (const call of forbidden) {
    test(`${call} may not be used`, async () => {
      const checked = await check(`x := ${call}`)

      assert.ok(!checked.ok)
      const [problem] = checked.problems
      assert.equal(problem?.code, 'rego_type_error')
      assert.match(problem.message, /^Policies may not use /)
      assert.equal(problem.row, 3)
    })
  }

  test('what does not parse, in both commands', async () => {
    const modules = conditions('x := ')

    for (const result of [
      await opa.check(modules, { schema, capabilities }),
      await opa.build(modules, { entrypoint: 'claimgate/conditions/x', capabilities }),
    ]) {
      assert.ok(!result.ok)
      assert.equal(result.problems[0]?.code, 'rego_parse_error')
      assert.equal(result.problems[0]?.file, 'conditions.rego')
      assert.ok((result.problems[0]?.row ?? 0) >= 3)
    }
  })

  test('an entrypoint that is not there', async () => {
    const built = await opa.build(conditions('x := 1'), { entrypoint: 'claimgate/verdict', capabilities })

    assert.ok(!built.ok)
    assert.equal(built.problems[0]?.code, 'policy_not_compiled')
    assert.match(built.problems[0]?.message ?? '', /claimgate\/verdict/)
  })

  test('the claims and their types are those of GitLab', async () => {
    const good = await check(
      'x := input.claims.runner_id + input.claims.iat + input.time',
      'y := input.claims.job_config.sha',
    )
    const bad = await check('x if startswith(input.claims.runner_id, "1")')

    assert.ok(good.ok, JSON.stringify(good))
    assert.ok(!bad.ok)
  })
})

describe('the process is held', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  test('a compiler that does not end is killed, and that is a problem of the policy', async () => {
    const hanging = createOpa({ binary: script('hang', 'while :; do :; done'), log: silent, timeoutMs: 200 })

    const built = await hanging.build(conditions('x := 1'), { entrypoint: 'claimgate/verdict', capabilities })

    assert.ok(!built.ok)
    assert.equal(built.problems[0]?.code, 'policy_compile_timeout')
  })

  test('no secret of ours is in its environment', async () => {
    process.env.CLAIMGATE_TEST_SECRET = 'secret'
    const nosy = createOpa({
      binary: script('nosy', 'echo "error: $(/usr/bin/env | /usr/bin/tr "\\n" " ")" >&2; exit 1'),
      log: silent,
    })

    const built = await nosy.build(conditions('x := 1'), { entrypoint: 'x', capabilities })

    delete process.env.CLAIMGATE_TEST_SECRET
    assert.ok(!built.ok)
    assert.match(built.problems[0]?.message ?? '', /GOMEMLIMIT=/)
    assert.doesNotMatch(JSON.stringify(built), /secret|CLAIMGATE/)
  })

  test('nothing is left of its folders, however it ends', async () => {
    // Its own, as other tests compile beside this one.
    const own = mkdtempSync(join(folder, 'tmp-'))
    const { TMPDIR } = process.env
    process.env.TMPDIR = own
    const broken = createOpa({ binary: script('broken', 'kill -9 $$'), log: silent })

    await check('x := 1')
    await check('x := ')
    await assert.rejects(broken.build(conditions('x := 1'), { entrypoint: 'x', capabilities }), {
      code: 'unavailable',
    })

    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    assert.deepEqual(readdirSync(own), [])
  })

  test('a source over 256 KiB is a problem, and nothing is run for it', async () => {
    const never = createOpa({ binary: '/nonexistent', log: silent })

    const built = await never.build(conditions(`# ${'x'.repeat(262_144)}`), { entrypoint: 'x', capabilities })

    assert.ok(!built.ok)
    assert.equal(built.problems[0]?.code, 'policy_too_large')
  })

  test('without a compiler every call says what to install', async () => {
    const missing = createOpa({ binary: join(folder, 'missing'), log: silent })

    await assert.rejects(missing.version(), { code: 'unavailable', message: NO_COMPILER })
    await assert.rejects(missing.check(conditions('x := 1'), { schema, capabilities }), {
      message: NO_COMPILER,
    })
  })

  test('what is no compiler is none', async () => {
    const other = createOpa({ binary: script('other', 'echo hello'), log: silent })

    await assert.rejects(other.version(), { message: NO_COMPILER })
  })

  test('two run at a time, a hundred wait, and the next is told to try again', async () => {
    const hanging = createOpa({ binary: script('slow', 'while :; do :; done'), log: silent, timeoutMs: 50 })

    const asked = Array.from({ length: 103 }, () =>
      hanging.check(conditions('x := 1'), { schema, capabilities }).catch((error: Error) => error.message),
    )

    assert.match(String(await asked[102]), /Too many/)
    const others = await Promise.all(asked.slice(0, 102))
    assert.ok(others.every((result) => typeof result === 'object' && !result.ok))
  })

  test('its version is told while compilations wait, and asked for once by all who ask at once', async () => {
    const runs = join(folder, 'runs')
    const slow = createOpa({
      binary: script(
        'slow-but-there',
        `case "$1" in version) echo x >> ${runs}; echo "Version: 1.22.2";; *) while :; do :; done;; esac`,
      ),
      log: silent,
      timeoutMs: 500,
    })
    const compiling = Array.from({ length: 4 }, () =>
      slow.check(conditions('x := 1'), { schema, capabilities }),
    )

    const versions = await Promise.all([slow.version(), slow.version()])
    const isStillCompiling = await Promise.race([Promise.all(compiling).then(() => false), true])

    assert.deepEqual(versions, ['1.22.2', '1.22.2'])
    assert.equal(readFileSync(runs, 'utf8'), 'x\n')
    assert.ok(isStillCompiling)
    await Promise.all(compiling)
  })

  function script(name: string, text: string): string {
    const file = join(folder, name)
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    return file
  }
})
