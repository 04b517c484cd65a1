import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { policyFileReader } from '../../src/cli/policy/open-folder.ts'
import { showFileProblem } from '../../src/policy-file/file-problem.ts'
import { readPolicyFolder } from '../../src/policy-file/read-policy-folder.ts'

const reader = policyFileReader({ identityDomain: 'workload.example.com', tokenLifetimeSeconds: 3600 })

const GOOD = `id: deploy
title: Deploy
providerType: GITLAB
issuerUrl: https://gitlab.com
rules:
  - id: main
    group: acme
    refs:
      - type: BRANCH
        pattern: main
    roles: [roles/gitopsServiceAgent]
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
}

function problems(): readonly string[] {
  return readPolicyFolder(reader, folder).problems.map((problem) =>
    showFileProblem(problem).replaceAll(`${folder}/`, ''),
  )
}

test('a folder gives the identities of all its files, also of those in folders, and leaves hidden ones alone', () => {
  write({
    'deploy.yaml': GOOD,
    'team/web.yml': GOOD.replace('id: deploy', 'id: web\nproject: shop\nstate: DISABLED'),
    'team/mail.yaml': GOOD.replace('id: deploy', 'email: mail@other.example.com'),
    '.gitlab-ci.yml': 'stages: [plan]',
    'README.md': '# ours',
  })

  const { files, problems: found } = readPolicyFolder(reader, folder)

  assert.deepEqual(found, [])
  assert.deepEqual(
    files.map(({ email, body }) => [email, body.state]),
    [
      ['deploy@workload.example.com', undefined],
      ['mail@other.example.com', undefined],
      ['web@shop.workload.example.com', 'DISABLED'],
    ],
  )
})

describe('a mistake is told with file, line, column and field', () => {
  for (const [mistake, from, to, told] of [
    [
      'a field that is none',
      'title:',
      'titel:',
      'deploy.yaml:2:1: titel: is not a field: the nearest is title',
    ],
    [
      'a field of a rule that is none',
      '    group: acme',
      '    group: acme\n    projekt: app',
      'deploy.yaml:8:5: rules[0].projekt: is not a field: the nearest is project',
    ],
    ['a wrong pattern', 'pattern: main', 'pattern: ma?n', 'deploy.yaml:10:18: rules[0].refs[0].pattern: '],
    [
      'a wrong type',
      'title: Deploy',
      'title: 1.10',
      'deploy.yaml:2:8: title: must be a string, not a number: write "1.10" in quotes',
    ],
    ['a value that is none', 'GITLAB', 'GITLUB', "deploy.yaml:3:15: providerType: must be 'GITLAB'"],
    ['a missing field', 'issuerUrl: https://gitlab.com\n', '', 'deploy.yaml:1:1: issuerUrl: is required'],
    [
      'a role that is none',
      'roles/gitopsServiceAgent',
      'gitopsServiceAgent',
      "deploy.yaml:11:13: rules[0].roles[0]: 'gitopsServiceAgent' is not a role: the nearest is 'roles/gitopsServiceAgent'",
    ],
    ['no id', 'id: deploy\n', '', 'deploy.yaml:1:1: id is required'],
    ['a wrong id', 'id: deploy', 'id: Deploy', 'deploy.yaml:1:5: id: must be in lower case'],
    [
      'an id beside an email',
      'id: deploy',
      'id: deploy\nemail: a@b.example',
      'deploy.yaml:2:8: email: says id and project already',
    ],
    [
      'a project that is none',
      'id: deploy',
      'id: deploy\nproject: A',
      'deploy.yaml:2:10: project: is not the id of a project',
    ],
    ['an email that is none', 'id: deploy', 'email: deploy', 'deploy.yaml:1:8: email: must be ID@DOMAIN'],
    [
      'a name twice',
      'title: Deploy',
      'title: Deploy\ntitle: Again',
      'deploy.yaml:3:1: title: stands here twice, first in line 2',
    ],
    ['a tab', '  - id', '\t- id', 'deploy.yaml:6:1: tabs are not allowed as indentation'],
    ['an anchor', 'title: Deploy', 'title: &t Deploy', "deploy.yaml:2:11: title: the anchor 't' is not read"],
    ['an alias', 'title: Deploy', 'title: *t', 'deploy.yaml:2:8: '],
    ['a merge', 'title: Deploy', '<<: {title: Deploy}', "deploy.yaml:2:1: ['<<']: merge keys are not read"],
    ['a tag', 'title: Deploy', 'title: !env Deploy', 'deploy.yaml:2:8: unresolved tag: !env'],
    [
      'a tag of YAML itself',
      'title: Deploy',
      'title: !!str Deploy',
      "deploy.yaml:2:14: title: the tag '!!str' is not read",
    ],
    [
      'a tag in full',
      'title: Deploy',
      'title: !<tag:yaml.org,2002:str> Deploy',
      "deploy.yaml:2:33: title: the tag '!!str' is not read",
    ],
    [
      'a tag that says nothing',
      'title: Deploy',
      'title: ! Deploy',
      "deploy.yaml:2:10: title: the tag '!' is not read",
    ],
    [
      'a tag without a value',
      'title: Deploy',
      'title: !!null',
      "deploy.yaml:2:14: title: the tag '!!null' is not read",
    ],
    [
      'a tag of a name',
      'title: Deploy',
      '!!str title: Deploy',
      "deploy.yaml:2:7: title: the tag '!!str' is not read",
    ],
    [
      'a tag of a name in a rule',
      '    group: acme',
      '    !!str group: acme',
      "deploy.yaml:7:11: rules[0].group: the tag '!!str' is not read",
    ],
    [
      'a tag of a list',
      'roles: [',
      'roles: !!seq [',
      "deploy.yaml:11:18: rules[0].roles: the tag '!!seq' is not read",
    ],
    ['a tag of the whole', 'id: deploy', '!!map\nid: deploy', "deploy.yaml:2:1: the tag '!!map' is not read"],
    [
      'a tag of the author’s',
      'id: deploy',
      '%TAG !t! tag:yaml.org,2002:\n---\nid: !t!str deploy',
      'deploy.yaml:1:1: the directive %TAG is not read',
    ],
    [
      'an older YAML',
      'id: deploy',
      '%YAML 1.1\n---\nid: deploy',
      'deploy.yaml:1:1: YAML 1.1 is not read: it is 1.2',
    ],
    [
      'a number without end',
      'title: Deploy',
      'tokenLifetimeSeconds: .inf',
      'deploy.yaml:2:23: tokenLifetimeSeconds: must be a finite number',
    ],
    [
      'a number that is none',
      'title: Deploy',
      'tokenLifetimeSeconds: .nan',
      'deploy.yaml:2:23: tokenLifetimeSeconds: must be a finite number',
    ],
    [
      'a second document',
      'title: Deploy',
      '---\ntitle: Deploy',
      'deploy.yaml:2:1: a file holds one document',
    ],
    ['a name that is no text', 'title: Deploy', '1: Deploy', 'deploy.yaml:2:1: a name must be text'],
    [
      'a member that vanishes',
      'title: Deploy',
      '__proto__: {}',
      'deploy.yaml:2:1: __proto__: is not a field',
    ],
    [
      'text that breaks lines',
      'title: Deploy',
      'title: "De\\nploy"',
      'deploy.yaml:2:8: title: must be one line',
    ],
    [
      'conditions in the file',
      'title: Deploy',
      'conditions: |\n  package claimgate.conditions',
      'deploy.yaml:2:1: conditions: stands in a file of its own',
    ],
    [
      'the shape of the API',
      'title: Deploy',
      'workloadIdentityConfig: {}',
      'deploy.yaml:2:1: workloadIdentityConfig: is not a field of a file',
    ],
    [
      'a state that files do not set',
      'title: Deploy',
      'state: DELETED',
      "deploy.yaml:2:8: state: must be 'ACTIVE' or 'DISABLED': an identity is deleted by",
    ],
    [
      'a test of a wrong shape',
      'title: Deploy',
      'tests: [{title: t, claims: {}, expect: MAYBE}]',
      "deploy.yaml:2:40: tests[0].expect: must be 'ALLOWED' or 'DENIED'",
    ],
  ] as const) {
    test(mistake, () => {
      assert.ok(GOOD.includes(from))
      write({ 'deploy.yaml': GOOD.replace(from, to) })

      const [first = ''] = problems()

      assert.ok(first.startsWith(told), first)
    })
  }
})

test('all mistakes of all files are told at once, in the order of the files', () => {
  write({
    'a.yaml': GOOD.replace('title', 'titel').replace('group', 'gruop').replace('[roles', '[rules'),
    'b.yaml': `${GOOD.replace('pattern: main', "pattern: 'a?'")}  - group: acme\n    roles: [none]\n`,
    'c.yaml': '- 1',
  })

  assert.deepEqual(
    problems().map((line) => line.split(': ').slice(0, 2).join(': ')),
    [
      'a.yaml:2:1: titel',
      'a.yaml:6:5: rules[0].group',
      'a.yaml:7:5: rules[0].gruop',
      'b.yaml:10:18: rules[0].refs[0].pattern',
      'b.yaml:13:13: rules[1].roles[0]',
      'c.yaml:1:1: must be the fields of an identity',
    ],
  )
})

test('one identity in two files is told of, whether by id or email', () => {
  write({
    'a.yaml': GOOD,
    'b/a.yaml': GOOD,
    'c.yaml': GOOD.replace('id: deploy', 'email: deploy@workload.example.com'),
  })

  assert.deepEqual(problems(), [
    'b/a.yaml:1:5: id: deploy@workload.example.com is the identity of a.yaml already',
    'c.yaml:1:8: email: deploy@workload.example.com is the identity of a.yaml already',
  ])
})

test('conditions without an identity, links, files that are too large or no text are told of', () => {
  write({
    'a.yaml': GOOD,
    'deploj.rego': 'package claimgate.conditions',
    'big.yaml': `${GOOD}# ${'x'.repeat(600_000)}`,
    'latin.yaml': Buffer.from('title: \xe4', 'latin1'),
  })
  symlinkSync(join(folder, 'a.yaml'), join(folder, 'link.yaml'))

  assert.deepEqual(problems(), [
    'big.yaml:1:1: is larger than 512 KiB',
    'deploj.rego:1:1: belongs to no identity: there is no deploj.yaml',
    'latin.yaml:1:1: is not UTF-8',
    'link.yaml:1:1: is no regular file, and links are not followed',
  ])
})

test('files whose names end in capitals are told of, as they would be left out', () => {
  write({ 'a.yaml': GOOD, 'a.REGO': 'package claimgate.conditions', 'b.YAML': GOOD, 'c.Yml': GOOD })

  assert.deepEqual(
    problems(),
    ['a.REGO', 'b.YAML', 'c.Yml'].map(
      (file) => `${file}:1:1: must end in small letters: .yaml, .yml or .rego`,
    ),
  )
})

test('a link to a folder, or to nothing, is told of at every depth, and one to another file left alone', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'))
  try {
    write({ 'team/a.yaml': GOOD, 'README.md': '# ours' })
    writeFileSync(join(elsewhere, 'b.yaml'), GOOD)
    symlinkSync(elsewhere, join(folder, 'teams'))
    symlinkSync(elsewhere, join(folder, 'team/more.yaml'))
    symlinkSync(join(folder, 'nothing'), join(folder, 'team/gone'))
    symlinkSync(folder, join(folder, 'team/loop'))
    symlinkSync(join(folder, 'README.md'), join(folder, 'READ'))
    symlinkSync(elsewhere, join(folder, '.hidden'))

    assert.deepEqual(problems(), [
      'team/gone:1:1: is a link, and links are not followed',
      'team/loop:1:1: is a link, and links are not followed',
      'team/more.yaml:1:1: is no regular file, and links are not followed',
      'teams:1:1: is a link, and links are not followed',
    ])
    rmSync(join(folder, 'team'), { recursive: true })
    assert.deepEqual(problems(), ['teams:1:1: is a link, and links are not followed'])
  } finally {
    rmSync(elsewhere, { recursive: true })
  }
})

test('a path where nothing is says so', () => {
  const nothing = join(folder, 'nothing')

  assert.throws(() => readPolicyFolder(reader, nothing), {
    message: `There is no folder or file ${nothing}.`,
  })
})

test('an empty folder is an error, as it is more likely the wrong one', () => {
  write({ 'README.md': '' })

  assert.throws(() => readPolicyFolder(reader, folder), /There is no YAML file in /)
})

describe('a file that is made to break its reader ends in an error, soon', () => {
  const bomb = Array.from({ length: 30 }, (_, n) => `a${n}: &a${n} [*a${n - 1}, *a${n - 1}]`).join('\n')
  for (const [name, text] of [
    ['an anchor bomb', bomb.replaceAll('*a-1', 'x')],
    ['brackets without end', `rules: ${'['.repeat(100_000)}`],
    ['braces without end', `rules: ${'{a: '.repeat(50_000)}`],
    ['lists without end', '- '.repeat(100_000)],
    ['names without end', '? '.repeat(100_000)],
    ['indentation without end', Array.from({ length: 700 }, (_, n) => `${' '.repeat(n)}a:`).join('\n')],
    ['a name many times', 'a: b\n'.repeat(60_000)],
    ['quotes without end', '"'.repeat(100_000)],
  ] as const) {
    test(name, () => {
      write({ 'a.yaml': text })

      const found = problems()

      assert.ok(found.length > 0 && found.length <= 21, String(found.length))
      assert.ok(found.every((line) => /^a\.yaml:\d+:\d+: /.test(line) && line.length < 400))
    })
  }
})

describe('guardrails at the root', () => {
  const REGO = 'package claimgate.guardrails\n'
  const TESTS = 'tests:\n  - { title: a, claims: {}, expect: DENIED }\n'
  const guardrails = () => readPolicyFolder(reader, folder).guardrails

  test('are read with their tests, also where there is no identity, and are none of its files', () => {
    write({ 'guardrails.rego': REGO, 'guardrails.tests.yaml': TESTS })

    const { files, guardrails: read, problems: found } = readPolicyFolder(reader, folder)

    assert.deepEqual([files, found], [[], []])
    assert.deepEqual([read?.source, read?.tests], [REGO, [{ title: 'a', claims: {}, expect: 'DENIED' }]])
  })

  test('are not said anything of where they have no file, and are removed by an empty one', () => {
    write({ 'deploy.yaml': GOOD })
    const absent = guardrails()
    write({ 'guardrails.rego': ' \n' })

    assert.equal(absent, undefined)
    assert.equal(guardrails()?.source, '')
  })

  for (const [reason, files, told] of [
    [
      'an empty file with tests beside it, which was maybe emptied by mistake',
      { 'guardrails.rego': '', 'guardrails.tests.yaml': TESTS },
      'guardrails.tests.yaml:1:1: guardrails.rego is empty, which removes the guardrails: remove their tests too',
    ],
    [
      'tests alone',
      { 'guardrails.tests.yaml': TESTS },
      'guardrails.tests.yaml:1:1: tests no guardrails: there is no guardrails.rego',
    ],
    [
      'a field that is none',
      { 'guardrails.rego': REGO, 'guardrails.tests.yaml': TESTS.replace('title', 'titel') },
      'guardrails.tests.yaml:2:7: tests[0].titel: is not a field: the nearest is title',
    ],
    [
      'an alias',
      { 'guardrails.rego': REGO, 'guardrails.tests.yaml': 'tests: &x []\n' },
      "guardrails.tests.yaml:1:11: tests: the anchor 'x' is not read",
    ],
    [
      'an identity that takes them for its conditions',
      { 'guardrails.rego': REGO, 'guardrails.yaml': GOOD },
      'guardrails.yaml:1:1: needs another name: guardrails.rego beside it is the guardrails, not its conditions',
    ],
    [
      'a folder of theirs',
      { 'team/guardrails.rego': REGO },
      'team/guardrails.rego:1:1: belongs to no identity: there is no team/guardrails.yaml',
    ],
  ] as const) {
    test(`are refused: ${reason}`, () => {
      write({ 'deploy.yaml': GOOD, ...files })
      if ('guardrails.yaml' in files) rmSync(join(folder, 'deploy.yaml'))

      assert.ok(problems().includes(told), problems().join('\n'))
    })
  }

  test('are not read through a link', () => {
    write({ 'deploy.yaml': GOOD, 'other.txt': REGO })
    symlinkSync(join(folder, 'other.txt'), join(folder, 'guardrails.rego'))

    assert.deepEqual(problems(), ['guardrails.rego:1:1: is no regular file, and links are not followed'])
  })
})
