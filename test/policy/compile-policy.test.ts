import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Rule } from '../../src/identity/rule.ts'
import { createSmokeRunner } from '../../src/policy/smoke-run.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import { inputWith, realCompiler, ruleWith } from './policy-world.ts'

const compiler = await realCompiler()
const smokeRunner = createSmokeRunner()
after(() => smokeRunner.close())
const gather = (...rules: readonly Rule[]) => compiler.gather({ provider: 'GITLAB', rules })

describe('a rule enters Rego as JSON and nothing else', () => {
  const hostile = [
    'a"} allow := true #',
    'a\nallow := true',
    `\${x}`,
    '{{ .x }}',
    '$"{input.claims.ref}"',
    '`raw`',
    '\u2028\u2029',
    '\ufeffbyte order mark',
    '\\u0041\\n\\',
    '\\',
    "'single'",
    '# comment',
    '\u{1f600} é \u202e',
    '\t\r\b\f\u0001\u001f\u007f\u0080',
    '*.*',
    '',
    '\\ud800',
  ]

  let asValues: Verdict
  let asPaths: readonly Verdict[]
  before(async () => {
    const named = Object.fromEntries(hostile.map((text) => [`n${text}`, 'x']))
    asValues = await verdictOf(hostile.map(ruleOfValues), { ...named, environment: 'other' })
    const paths = hostile.filter(isPath)
    asPaths = await verdictsOf(
      paths.map((text) =>
        ruleWith({ id: text, group: text, project: text, refs: [{ type: 'BRANCH', pattern: text }] }),
      ),
      paths.map((text) => ({
        namespace_path: text,
        project_path: `${text}/${text}`,
        ref: text,
        ref_path: `refs/heads/${text}`,
      })),
    )
  })

  for (const [index, text] of hostile.entries()) {
    test(`${JSON.stringify(text)} comes back as the same text`, () => {
      const { id, title, conditions } = asValues.rules[index] ?? assert.fail()

      assert.deepEqual([id, title], [`x${text}`, text])
      const environment = { claim: 'environment', expected: `'${text}'`, actual: 'other', met: false }
      assert.deepEqual(conditions['claim:environment'], environment)
      assert.equal(conditions[`claim:n${text}`]?.met, true)
    })
  }

  for (const [index, text] of hostile.filter(isPath).entries()) {
    test(`${JSON.stringify(text)} as paths and pattern matches itself and nothing else`, () => {
      const met = asPaths[index]?.rules.filter((rule) => rule.met).map(({ id }) => id)

      assert.deepEqual(met, [text])
    })
  }

  test('roles with such names are granted as they are', async () => {
    const roles = hostile.map((text) => `r${text}`)

    const verdict = await verdictOf([ruleWith({ roles })], {})

    assert.deepEqual(verdict.roles, roles.toSorted())
  })

  test('text that Rego or WASM would change is refused', () => {
    for (const text of ['\ud800', 'x\udfff', 'acme\u0000evil']) {
      assert.throws(() => gather(ruleWith({ group: text })), { code: 'invalid_argument' })
    }
  })

  test('the module is plain ASCII: a package, and a JSON literal', () => {
    const source = rulesSource(ruleWith({ title: 'é\u2028' }))

    assert.match(source, /^package claimgate\n\nrules := \[\n/)
    assert.match(source, /^[\n\t\x20-\x7e]*$/)
    assert.deepEqual(JSON.parse(source.replace(/^package claimgate\n\nrules := /, '')), [
      ruleWith({ title: 'é\u2028' }),
    ])
  })
})

describe('what is compiled', () => {
  test('disabled rules are left out', async () => {
    const verdict = await verdictOf([ruleWith({ id: 'a', disabled: true }), ruleWith({ id: 'b' })], {})

    assert.deepEqual(
      verdict.rules.map(({ id }) => id),
      ['b'],
    )
    assert.doesNotMatch(rulesSource(ruleWith({ id: 'gone', disabled: true })), /gone/)
  })

  test('an identity of which every rule is disabled compiles, and allows nobody', async () => {
    const verdict = await verdictOf([ruleWith({ disabled: true })], {})

    assert.deepEqual(verdict, { allow: false, rules: [], conditions: [], guardrails: [], roles: [] })
  })

  test('rules with everything empty compile, alone and beside others', async () => {
    const bare = ruleWith({
      id: 'bare',
      project: '',
      refs: [],
      mergeRequests: 'SAME_PROJECT',
      roles: [],
      title: '',
    })

    assert.equal((await verdictOf([bare], {})).allow, true)
    assert.equal((await verdictOf([bare], { ref_protected: 'false' })).allow, false)
    const pinned = ruleWith({ ids: { projectIds: ['1'], namespaceIds: ['1'] } })
    assert.equal((await verdictOf([pinned, bare], {})).allow, true)
    assert.equal((await verdictOf([pinned], {})).allow, false)
  })

  test('a hundred rules with a hundred refs each are a problem, not a fault', async () => {
    const refs = Array.from({ length: 100 }, (_, i) => ({
      type: 'BRANCH' as const,
      pattern: `release/${i}/*`,
    }))
    const rules = Array.from({ length: 100 }, (_, i) => ruleWith({ id: `rule-${i}`, refs }))

    const compiled = await compiler.compile(gather(...rules))

    assert.equal(compiled.ok, false)
    assert.equal(compiled.problems[0]?.code, 'policy_too_large')
    assert.equal(compiled.problems[0]?.file, 'rules.rego')
  })

  test('a thousand refs are answered within the memory and the time there is', async () => {
    const refs = Array.from({ length: 100 }, (_, i) => ({
      type: 'BRANCH' as const,
      pattern: `release/${i}/*`,
    }))
    const rules = Array.from({ length: 10 }, (_, i) => ruleWith({ id: `rule-${i}`, refs }))
    const compiled = await compiler.compile(gather(...rules))
    assert.ok(compiled.ok, JSON.stringify(compiled))

    const [result] = await smokeRunner.run(compiled.wasm, [
      inputWith({ ref: 'release/99/x', ref_path: 'refs/heads/release/99/x' }),
    ])

    assert.ok(result?.ok && result.allow, JSON.stringify(result)?.slice(0, 300))
  })
})

describe('several stars in a segment of a pattern', () => {
  const STARS = 'claimgate/stars.rego'
  const tags = (...patterns: readonly string[]) =>
    ruleWith({ refs: patterns.map((pattern) => ({ type: 'TAG', pattern })) })
  const tag = (name: string) => ({ ref: name, ref_type: 'tag', ref_path: `refs/tags/${name}` })
  const holdsStars = (...rules: readonly Rule[]) =>
    gather(...rules).modules.some(({ path }) => path === STARS)

  for (const pattern of ['v*.*', '*a*', 'x/v*.*', 'v*.*/x', 'v*.*/**', 'v*.*.*-rc*', 'é*\n*']) {
    test(`their module is in the policy for ${JSON.stringify(pattern)}`, () => {
      assert.ok(holdsStars(ruleWith({ refs: [] }), tags('main', pattern)))
    })
  }

  test('their module is in no other policy, as it doubles the size', async () => {
    const others = tags('main', 'v*', '*-stable', 'a*/b*/*', '*/x', 'a/**', 'a*/**', '*/**')

    assert.ok(!holdsStars(others))
    assert.ok(!holdsStars(others, { ...tags('v*.*'), disabled: true }))
    assert.ok(!holdsStars())
  })

  test('a policy without them has less than 200 KB, with them less than 400 KB', async () => {
    const few = await compiler.compile(gather(tags('main', 'v*')))
    const several = await compiler.compile(gather(tags('main', 'v*.*')))

    assert.ok(few.ok && few.wasm.length < 200_000, few.ok ? `${few.wasm.length}` : 'not compiled')
    assert.ok(several.ok && several.wasm.length < 400_000, several.ok ? `${several.wasm.length}` : '')
  })

  test('without their module such a pattern covers nothing, and others what they did', async () => {
    const { modules, ...policy } = gather(tags('v*.*', 'w*'))
    const compiled = await compiler.compile({
      ...policy,
      modules: modules.filter(({ path }) => path !== STARS),
    })
    assert.ok(compiled.ok)

    const results = await smokeRunner.run(compiled.wasm, [tag('v1.2'), tag('w1')].map(inputWith))

    assert.deepEqual(
      results.map((result) => result.ok && result.allow),
      [false, true],
    )
  })

  test('a long foreign tag is denied by ten rules of three patterns, and costs no memory', async () => {
    const rules = Array.from({ length: 10 }, (_, i) => ({
      ...tags('v*.*.*', 'v*.*.*-*', 'v*.*.*-rc*'),
      id: `rule-${i}`,
    }))
    const hostile = ['va.a.a', 'v1.2.3-rc', `v${'.'.repeat(3)}`, `v${'.-rc'.repeat(3)}`]
    const names = hostile.map(
      (start) =>
        start +
        start
          .slice(-2)
          .repeat(200)
          .slice(0, 244 - start.length),
    )
    const compiled = await compiler.compile(gather(...rules))
    assert.ok(compiled.ok, JSON.stringify(compiled))

    const results = await smokeRunner.run(
      compiled.wasm,
      Array.from({ length: 20 }, () =>
        names.map((name) => inputWith({ ...tag(name), namespace_path: 'x' })),
      ).flat(),
    )

    assert.equal(results.length, 20 * names.length)
    assert.deepEqual(new Set(results.map((result) => result.ok && !result.allow)), new Set([true]))
  })

  test('thirty patterns of twenty stars are answered within the memory and the time there is', async () => {
    const pattern = `v${'*aab'.repeat(20)}*b`
    const rules = Array.from({ length: 10 }, (_, i) => ({
      ...tags(...['x', 'y', 'z'].map((end) => pattern + end)),
      id: `rule-${i}`,
    }))
    const compiled = await compiler.compile(gather(...rules))
    assert.ok(compiled.ok, JSON.stringify(compiled))

    const [denied, allowed] = await smokeRunner.run(
      compiled.wasm,
      [`v${'aa'.repeat(500)}bx`, `v${'aab'.repeat(20)}${'a'.repeat(900)}bx`].map((name) =>
        inputWith(tag(name)),
      ),
    )

    assert.ok(denied?.ok && !denied.allow, JSON.stringify(denied)?.slice(0, 300))
    assert.ok(allowed?.ok && allowed.allow, JSON.stringify(allowed)?.slice(0, 300))
  })
})

describe('the digest names what a policy is made from', () => {
  test('equal rules have one, and it is known without compiling', () => {
    assert.match(gather(ruleWith()).digest, /^sha256:[0-9a-f]{64}$/)
    assert.equal(gather(ruleWith()).digest, gather(ruleWith()).digest)
  })

  test('whatever changes in a rule changes it', () => {
    const changes: readonly Partial<Rule>[] = [
      {},
      { title: 'x' },
      { group: 'b' },
      { roles: [] },
      { protectedRefsOnly: false },
    ]
    const digests = changes.map((change) => gather(ruleWith(change)).digest)

    assert.equal(new Set(digests).size, changes.length)
  })

  test('the order of rules counts, since the first of equal ones is the closest', () => {
    const [a, b] = [ruleWith({ id: 'a' }), ruleWith({ id: 'b' })]

    assert.notEqual(gather(a, b).digest, gather(b, a).digest)
  })

  test('every module of the base says what it is', () => {
    const { modules } = gather(ruleWith({ refs: [{ type: 'TAG', pattern: 'v*.*' }] }))
    for (const { path, source } of modules.filter((each) => each.path !== 'rules.rego')) {
      // A package has one description: a module that adds to it describes its rule.
      assert.match(source, /^(package .+\n\n)?# METADATA\n# title: .+\n(#.*\n)*(package |[a-z_]+\()/, path)
    }
  })

  test('the modules are sorted by path and hold no test', () => {
    const paths = gather(ruleWith()).modules.map(({ path }) => path)

    assert.deepEqual(paths, paths.toSorted())
    assert.ok(paths.includes('claimgate/gitlab.rego') && paths.includes('rules.rego'))
    assert.ok(!paths.some((path) => path.includes('_test')))
  })
})

function rulesSource(...rules: readonly Rule[]): string {
  return gather(...rules).modules.find(({ path }) => path === 'rules.rego')?.source ?? ''
}

function isPath(text: string): boolean {
  return text !== '' && !/[/*]/.test(text)
}

function ruleOfValues(text: string): Rule {
  return ruleWith({ id: `x${text}`, title: text, claims: { environment: [text], [`n${text}`]: ['x'] } })
}

async function verdictOf(
  rules: readonly Rule[],
  changes: Readonly<Record<string, unknown>>,
): Promise<Verdict> {
  const [verdict] = await verdictsOf(rules, [changes])
  return verdict ?? assert.fail()
}

async function verdictsOf(
  rules: readonly Rule[],
  inputs: readonly Readonly<Record<string, unknown>>[],
): Promise<readonly Verdict[]> {
  const compiled = await compiler.compile(gather(...rules))
  assert.ok(compiled.ok, JSON.stringify(compiled))
  const results = await smokeRunner.run(compiled.wasm, inputs.map(inputWith))
  return results.map((result) => (result.ok ? JSON.parse(result.verdictText) : assert.fail(result.cause)))
}
