import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { checkModule } from '../../src/policy/check-module.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import { realCompiler, ruleWith } from './policy-world.ts'

const compiler = await realCompiler()
const compile = (conditions: string) =>
  compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()], conditions }))
const compileGuardrails = (source: string) => compiler.compile(compiler.gatherGuardrails(source))

/** Two lines, so that what follows begins with the third. */
const HEAD = 'package claimgate.conditions\nrequired := {"a": "A must hold."}\n'
const MET = 'met contains "a" if input.claims.runner_environment == "gitlab-hosted"\n'

describe('conditions that are as they should be compile', () => {
  for (const body of [
    MET,
    `import rego.v1\n${MET}`,
    `# METADATA\n# title: A\n# description: What it is for.\n${MET}`,
    'met contains "a" if data.claimgate.conditions.hosted\nhosted if input.claims.runner_environment == "x"\n',
    'met contains code if {\n\tsome code in {"a"}\n\tinput.claims.ref == "main"\n}\n',
    'met contains "a" if input.claims.environment in {"production", "staging"}\n',
    'met contains "a" if regex.match(`^release/[0-9]+$`, input.claims.ref)\n',
    'met contains "a" if regex.match(`^(main|release/.*)$`, input.claims.ref)\n',
    'met contains "a" if {\n\tsome group in input.claims.groups_direct\n\tgroup == "acme/admins"\n}\n',
    'met contains "a" if {\n\tnot weekend\n\tinput.claims.ref == "main"\n}\nweekend if (floor(input.time / 86400) % 7) in {2, 3}\n',
    'met contains "a" if not input.provider == "GITHUB"\n',
    'met contains "a" if {\n\tsome word in {"x", "y"}\n\tword != "z"\n\tstartswith(input.claims.ref, word)\n}\n',
    'is_source(source) if source != "trigger"\nmet contains "a" if is_source(input.claims.pipeline_source)\n',
    'met contains "a" if input.claims.job_config.url == "x"\n',
    'met contains "a" if input.claims.runner_id == 7\n',
  ]) {
    test(body.replaceAll('\n', ' ⏎ '), async () => {
      const compiled = await compile(HEAD + body)

      assert.ok(compiled.ok, JSON.stringify(compiled))
      assert.deepEqual(
        compiled.requirements.map(({ code, message }) => [code, message]),
        [['a', 'A must hold.']],
      )
    })
  }

  test('with 10,000 values to choose from', async () => {
    const values = Array.from({ length: 10_000 }, (_, n) => `"${n}"`).join(', ')

    const compiled = await compile(`${HEAD}met contains "a" if input.claims.project_id in {${values}}\n`)

    assert.ok(compiled.ok, JSON.stringify(compiled))
  })
})

describe('a problem has its code, its place and a sentence on how to mend it', () => {
  const cases: readonly [name: string, source: string, code: string, place: string, hint: RegExp][] = [
    [
      "another provider's package",
      'package claimgate.gitlab\nmet[0] contains "group" if true\n',
      'wrong_package',
      '1:1',
      /package claimgate\.conditions/,
    ],
    [
      "the guardrails' package",
      `${HEAD.replace('conditions', 'guardrails')}${MET}`,
      'wrong_package',
      '1:1',
      /Begin/,
    ],
    [
      'a package below it',
      `${HEAD.replace('conditions', 'conditions.more')}${MET}`,
      'wrong_package',
      '1:1',
      /Begin/,
    ],
    [
      'a second package',
      `${HEAD}${MET}package claimgate\nallow := true\n`,
      'rego_parse_error',
      '4:1',
      /one package/,
    ],
    ['no package', 'required := {"a": "A."}\n', 'rego_parse_error', '1:1', /its package/],
    ['comments alone', '# nothing yet\n', 'rego_parse_error', '1:1', /leave the field empty/],
    [
      'a missing if',
      `${HEAD}met contains "a" { input.claims.ref == "x" }\n`,
      'rego_parse_error',
      '3:1',
      /'if'/,
    ],
    [
      'a missing contains',
      `${HEAD}met["a"] { input.claims.ref == "x" }\n`,
      'rego_parse_error',
      '3:1',
      /'if'|contains/,
    ],
    [
      'a body on the next line',
      `${HEAD}met contains "a"\n\tinput.claims.ref == "x"\n`,
      'rego_parse_error',
      '4:2',
      /'if'/,
    ],
    [
      'single quotes',
      `${HEAD}met contains "a" if input.claims.ref == 'x'\n`,
      'rego_parse_error',
      '3:41',
      /double quotes/,
    ],
    [
      'the word or',
      `${HEAD}met contains "a" if { input.claims.ref == "x" or true }\n`,
      'rego_parse_error',
      '3:47',
      /no word/,
    ],
    [
      'an import',
      `package claimgate.conditions\nimport data.claimgate.rules\nrequired := {"a": "A."}\n${MET}`,
      'import_refused',
      '2:8',
      /Take it out/,
    ],
    [
      'an import of input',
      `package claimgate.conditions\nimport input.claims as c\nrequired := {"a": "A."}\n${MET}`,
      'import_refused',
      '2:8',
      /./,
    ],
    [
      'an entrypoint',
      `${HEAD}# METADATA\n# entrypoint: true\n${MET}`,
      'annotation_refused',
      '3:1',
      /entrypoint/,
    ],
    [
      'a schema of its own',
      `${HEAD}# METADATA\n# schemas:\n#   - input: {type: object}\n${MET}`,
      'annotation_refused',
      '3:1',
      /schemas/,
    ],
    [
      'foreign data',
      `${HEAD}met contains "a" if data.claimgate.rules[0].group == "x"\n`,
      'foreign_data',
      '3:21',
      /input/,
    ],
    ['all data', `${HEAD}met contains "a" if data[_].rules\n`, 'foreign_data', '3:21', /input/],
    [
      'another package by a variable',
      `${HEAD}met contains "a" if {\n\tsome x in ["rules"]\n\tdata.claimgate[x]\n}\n`,
      'foreign_data',
      '5:2',
      /input/,
    ],
    [
      'with',
      `${HEAD}met contains "a" if {\n\tinput.claims.ref == "x" with input as {}\n}\n`,
      'with_refused',
      '4:2',
      /tests/,
    ],
    ['no required', `package claimgate.conditions\n${MET}`, 'required_missing', '1:1', /required :=/],
    [
      'required that is worked out',
      `package claimgate.conditions\nrequired := {"a": "A."} if input.claims.ref == "x"\n${MET}`,
      'required_not_literal',
      '2:1',
      /required :=/,
    ],
    [
      'required in parts',
      `package claimgate.conditions\nrequired["a"] := "A."\n${MET}`,
      'required_not_literal',
      '2:1',
      /required :=/,
    ],
    [
      'required by default',
      `package claimgate.conditions\ndefault required := {"a": "A."}\n${MET}`,
      'required_not_literal',
      '2:1',
      /required :=/,
    ],
    [
      'a comprehension',
      `package claimgate.conditions\nrequired := {x: "A." | some x in ["a"]}\n${MET}`,
      'required_not_literal',
      '2:1',
      /required :=/,
    ],
    ['nothing required', `package claimgate.conditions\nrequired := {}\n`, 'required_size', '2:1', /empty/],
    [
      'a code that is no text',
      `package claimgate.conditions\nrequired := {1: "A."}\n${MET}`,
      'required_code',
      '2:14',
      /./,
    ],
    [
      'a message that is put together',
      `package claimgate.conditions\nx := "A."\nrequired := {"a": x}\n${MET}`,
      'required_message',
      '3:19',
      /one sentence/,
    ],
    [
      'a message with a backslash',
      `package claimgate.conditions\nrequired := {"a": "A\\\\B"}\n${MET}`,
      'required_message',
      '2:19',
      /one sentence/,
    ],
    [
      'a message with two lines',
      `package claimgate.conditions\nrequired := {"a": "A\\nB"}\n${MET}`,
      'required_message',
      '2:19',
      /one sentence/,
    ],
    [
      'a code twice',
      `package claimgate.conditions\nrequired := {"a": "A.", "a": "B."}\n${MET}`,
      'required_twice',
      '2:25',
      /own code/,
    ],
    ['met that is no set', `${HEAD}met["a"] if input.claims.ref == "x"\n`, 'met_no_set', '3:1', /contains/],
    ['a literal set', `${HEAD}met := {"a"}\n`, 'met_no_set', '3:1', /contains/],
    [
      'a code that nothing meets',
      HEAD.replace('{"a"', '{"b": "B.", "a"') + MET,
      'never_met',
      '2:14',
      /met contains "b"/,
    ],
    [
      'a misspelt code',
      `${HEAD.replaceAll('"a"', '"hosted"')}met contains "hosetd" if input.claims.ref == "x"\n`,
      'not_required',
      '3:1',
      /Did you mean hosted/,
    ],
    [
      'deny',
      `${HEAD}${MET}deny contains "no" if input.claims.ref == "x"\n`,
      'rule_without_effect',
      '4:1',
      /must hold/,
    ],
    ['allow', `${HEAD}${MET}allow if input.claims.ref == "x"\n`, 'rule_without_effect', '4:1', /must hold/],
    [
      'not',
      `${HEAD}met contains "a" if not input.claims.environment == "dev"\n`,
      'negated_claim',
      '3:21',
      /must be/,
    ],
    [
      'not through a rule',
      `${HEAD}dev if input.claims.environment == "dev"\nmet contains "a" if not dev\n`,
      'negated_claim',
      '4:21',
      /must be/,
    ],
    [
      'not through its whole path',
      `${HEAD}dev if input.claims.environment == "dev"\nmet contains "a" if not data.claimgate.conditions.dev\n`,
      'negated_claim',
      '4:21',
      /must be/,
    ],
    [
      'not through a variable',
      `${HEAD}met contains "a" if {\n\tc := input.claims\n\tnot c.environment == "dev"\n}\n`,
      'negated_claim',
      '5:2',
      /must be/,
    ],
    [
      'not in a function',
      `${HEAD}other(x) if not x == "dev"\nmet contains "a" if other(input.claims.ref)\n`,
      'negated_claim',
      '3:13',
      /must be/,
    ],
    [
      'not in a comprehension',
      `${HEAD}met contains "a" if count([1 | not input.claims.ref == "x"]) == 1\n`,
      'negated_claim',
      '3:32',
      /must be/,
    ],
    [
      'not over all claims by a variable',
      `${HEAD}met contains "a" if {\n\tsome n in ["environment"]\n\tnot input.claims[n] == "dev"\n}\n`,
      'negated_claim',
      '5:2',
      /must be/,
    ],
    [
      '!= on a claim that may be absent',
      `${HEAD}met contains "a" if input.claims.environment != "dev"\n`,
      'unequal_claim',
      '3:21',
      /must be/,
    ],
    [
      '!= the other way round',
      `${HEAD}met contains "a" if "dev" != input.claims.environment\n`,
      'unequal_claim',
      '3:21',
      /must be/,
    ],
    [
      '!= as a value',
      `${HEAD}met contains "a" if {\n\tx := input.claims.environment != "dev"\n\tx\n}\n`,
      'unequal_claim',
      '4:7',
      /must be/,
    ],
    [
      '!= through a variable',
      `${HEAD}met contains "a" if {\n\tx := input.claims.environment\n\tx != "dev"\n}\n`,
      'unequal_claim',
      '5:2',
      /must be/,
    ],
    [
      'a default',
      `${HEAD}met contains "a" if object.get(input.claims, "environment", "x") == "x"\n`,
      'claim_with_default',
      '3:21',
      /Read the claim/,
    ],
    [
      'a default by union',
      `${HEAD}met contains "a" if object.union({"environment": "x"}, input.claims).environment == "x"\n`,
      'claim_with_default',
      '3:21',
      /Read the claim/,
    ],
    [
      'a template',
      `${HEAD}met contains "a" if $"{input.claims.environment}!" == "x!"\n`,
      'claim_in_template',
      '3:21',
      /Compare/,
    ],
    [
      'a misspelt claim',
      `${HEAD}met contains "a" if input.claims.runner_enviroment == "x"\n`,
      'rego_type_error',
      '3:21',
      /Did you mean runner_environment/,
    ],
    [
      'a claim that there is none like',
      `${HEAD}met contains "a" if input.claims.favourite_colour == "x"\n`,
      'rego_type_error',
      '3:21',
      /no such claim/,
    ],
    [
      'the network',
      `${HEAD}met contains "a" if http.send({"url": "x"}).body == input.claims.ref\n`,
      'rego_type_error',
      '3:21',
      /network/,
    ],
    ['the clock', `${HEAD}met contains "a" if time.now_ns() > 5\n`, 'rego_type_error', '3:21', /input\.time/],
    [
      'sprintf',
      `${HEAD}met contains "a" if sprintf("%s", [input.claims.ref]) == "x"\n`,
      'rego_type_error',
      '3:21',
      /concat/,
    ],
    [
      'a glob',
      `${HEAD}met contains "a" if glob.match("x*", [], input.claims.ref)\n`,
      'rego_type_error',
      '3:21',
      /regex\.match/,
    ],
    ['recursion', `${HEAD}x if y\ny if x\nmet contains "a" if x\n`, 'rego_recursion_error', '3:1', /itself/],
    [
      'a pattern without ends',
      `${HEAD}met contains "a" if regex.match("main", input.claims.ref)\n`,
      'pattern_not_anchored',
      '3:21',
      /'\^main\$'/,
    ],
    [
      'a pattern without an end',
      `${HEAD}met contains "a" if regex.match("^main", input.claims.ref)\n`,
      'pattern_not_anchored',
      '3:21',
      /'\^main\$'/,
    ],
    [
      'a pattern whose last sign is no end',
      `${HEAD}met contains "a" if regex.match("^cost\\\\$", input.claims.ref)\n`,
      'pattern_not_anchored',
      '3:21',
      /\$/,
    ],
    [
      'a pattern of alternatives',
      `${HEAD}met contains "a" if regex.match("^main|release$", input.claims.ref)\n`,
      'pattern_not_anchored',
      '3:21',
      /'\^\(main\|release\)\$'/,
    ],
    [
      'a pattern that a rule names',
      `${HEAD}p := "main"\nmet contains "a" if regex.match(p, input.claims.ref)\n`,
      'pattern_not_anchored',
      '4:21',
      /'\^main\$'/,
    ],
    [
      'a pattern that parts of a text are found by',
      `${HEAD}met contains "a" if regex.find_all_string_submatch_n("^main", input.claims.ref, 1)[0][0] == "main"\n`,
      'pattern_not_anchored',
      '3:21',
      /'\^main\$'/,
    ],
    [
      'a pattern for each line',
      `${HEAD}met contains "a" if regex.match("(?m)^main$", input.claims.ref)\n`,
      'pattern_not_anchored',
      '3:21',
      /./,
    ],
    [
      'brackets in brackets',
      `${HEAD}met contains "a" if ${'['.repeat(200)}${']'.repeat(200)} == input.claims.ref\n`,
      'nested_too_deeply',
      '3:71',
      /Split/,
    ],
    ['text that turns its direction', `${HEAD}# \u202e\n${MET}`, 'character_refused', '3:3', /Take it out/],
    [
      'another type than the claim has',
      `${HEAD}met contains "a" if input.claims.runner_id == "7"\n`,
      'rego_type_error',
      '3:21',
      /types/,
    ],
    [
      'a variable that has no use',
      `${HEAD}met contains "a" if { x := 1; input.claims.ref == "y" }\n`,
      'rego_compile_error',
      '3:23',
      /Use it/,
    ],
  ]
  for (const [name, source, code, place, hint] of cases) {
    test(name, async () => {
      const compiled = await compile(source)

      assert.ok(!compiled.ok, 'It compiled.')
      const found = compiled.problems.find((problem) => problem.code === code)
      assert.ok(found, JSON.stringify(compiled.problems))
      assert.equal(found.file, 'conditions.rego')
      assert.equal(`${found.row}:${found.column}`, place)
      assert.match(found.hint ?? '', hint)
      assert.doesNotMatch(found.hint ?? '', /\n/)
      assert.ok(compiled.problems.every(({ file }) => file === 'conditions.rego'))
    })
  }

  test('all of them at once, in the order of the file', async () => {
    const compiled = await compile(
      `${HEAD}met contains "a" if not input.claims.environment == "x"\nmet contains "a" if input.claims.runner_enviroment == "x"\ndeny if true\n`,
    )

    assert.ok(!compiled.ok)
    assert.deepEqual(
      new Set(compiled.problems.map(({ code, row }) => `${row} ${code}`)),
      new Set(['3 negated_claim', '4 rego_type_error', '5 rule_without_effect']),
    )
  })

  test('more than 256 KiB are not compiled', async () => {
    const compiled = await compile(`${HEAD}${MET}# ${'x'.repeat(256 * 1024)}\n`)

    assert.ok(!compiled.ok)
    assert.deepEqual(
      compiled.problems.map(({ code, file }) => [code, file]),
      [['policy_too_large', 'conditions.rego']],
    )
  })
})

describe('guardrails', () => {
  const GUARDRAILS = HEAD.replace('conditions', 'guardrails')

  test('compile to a policy of their own, without a word of any identity', async () => {
    const gathered = compiler.gatherGuardrails(GUARDRAILS + MET)

    assert.equal((await compiler.compile(gathered)).ok, true)
    assert.deepEqual(
      gathered.modules.map(({ path }) => path),
      ['claimgate/guardrails_verdict.rego', 'guardrails.rego'],
    )
    assert.equal(gathered.entrypoint, 'claimgate/guardrails_verdict/verdict')
  })

  test('have the same problems, in their own file', async () => {
    const compiled = await compileGuardrails(
      `${GUARDRAILS}met contains "a" if not input.claims.environment == "x"\n`,
    )
    const foreign = await compileGuardrails(HEAD + MET)

    assert.ok(!compiled.ok && !foreign.ok)
    assert.deepEqual(
      compiled.problems.map(({ code, file, row }) => [code, file, row]),
      [['negated_claim', 'guardrails.rego', 3]],
    )
    assert.equal(foreign.problems[0]?.code, 'wrong_package')
  })
})

describe('an identity without conditions', () => {
  test('has no module of them, and none of the guardrails', () => {
    const plain = compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] })
    const empty = compiler.gather({ provider: 'GITLAB', rules: [ruleWith()], conditions: '' })

    assert.equal(plain.digest, empty.digest)
    assert.deepEqual(
      plain.modules.map(({ path }) => path),
      ['gitlab', 'paths', 'refs', 'verdict', 'words']
        .map((name) => `claimgate/${name}.rego`)
        .concat('rules.rego'),
    )
  })

  test('conditions are part of the digest', () => {
    const digestOf = (conditions: string) =>
      compiler.gather({ provider: 'GITLAB', rules: [ruleWith()], conditions }).digest

    assert.equal(new Set(['', HEAD, HEAD + MET].map(digestOf)).size, 3)
  })
})

test('what the schema says every token has is what GitLab always sends', () => {
  const schema = JSON.parse(readFileSync(`${POLICIES_DIR}/schemas/gitlab.json`, 'utf8'))
  const { required, properties } = schema.properties.claims

  assert.deepEqual(
    required.filter((name: string) => !Object.hasOwn(properties, name)),
    [],
  )
  for (const name of ['environment', 'runner_environment', 'ref_path', 'job_project_id', 'user_login'])
    assert.ok(!required.includes(name), name)
})

test('a module of very many expressions is refused before anything else looks at them', () => {
  const item = (n: number) => ({ type: 'var', value: `x${n}` })
  const terms = [
    { type: 'ref', value: [{ type: 'var', value: 'eq' }] },
    { type: 'array', value: Array.from({ length: 40_000 }, (_, n) => item(n)) },
    {
      type: 'ref',
      value: [
        { type: 'var', value: 'input' },
        { type: 'string', value: 'claims' },
      ],
    },
  ]
  const tree = { rules: [{ head: { ref: [{ type: 'var', value: 'met' }] }, body: [{ terms }] }] }

  const { problems } = checkModule(tree, { kind: 'conditions', alwaysThere: new Set(), builtins: new Set() })

  assert.deepEqual(
    problems.map(({ code }) => code),
    ['module_too_large'],
  )
})
