import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkGroupPath, checkProjectPath } from '../../src/identity/project-path.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'

const { GITLAB, GITHUB } = PROVIDERS

describe('paths that GitLab has are accepted', () => {
  for (const path of [
    'acme',
    'Acme',
    'a/b/c',
    '_x',
    '.x',
    'a.b-c_d',
    '0',
    'gitlab.com',
    `${'x'.repeat(255)}/y`,
  ]) {
    test(path.slice(0, 30), () => {
      assert.equal(checkGroupPath(path, GITLAB), undefined)
      assert.equal(checkProjectPath(path, GITLAB), undefined)
    })
  }
})

describe('what is no path is refused, with the path to write where it can be seen', () => {
  const bad: readonly [path: string, problem: RegExp][] = [
    ['/acme', /write 'acme'/],
    ['acme/', /write 'acme'/],
    ['/', /begin or end with/],
    ['a//b', /'\/\/'/],
    ['-a', /no '-' first/],
    ['a/-/b', /no '-' first/],
    ['My Group', /not the display name/],
    ['größe', /letters, digits/],
    ['\u212aelvin', /letters, digits/],
    ['acme/*', /no patterns/],
    ['https://gitlab.com/acme/app', /write 'acme\/app'/],
    ['https://gitlab.com/acme/app/-/tree/main', /write 'acme\/app'/],
    ['https://gitlab.com/acme/app.git', /write 'acme\/app'/],
    ['git@gitlab.com:acme/app.git', /write 'acme\/app'/],
    ['https://gitlab.com/', /not a URL/],
    ['app.git', /ends with '\.git'/],
    ['app.ATOM', /ends with '\.ATOM'/],
    ['app.', /ends with '\.'/],
    ['.', /ends with '\.'/],
    ['..', /ends with '\.'/],
    ['x'.repeat(256), /at most 255/],
    ['x/'.repeat(1025), /at most 2048/],
  ]

  for (const [path, problem] of bad) {
    test(path.slice(0, 30), () => {
      assert.match(checkGroupPath(path, GITLAB) ?? 'accepted', problem)
      assert.match(checkProjectPath(path, GITLAB) ?? 'accepted', problem)
    })
  }
})

test('a group must be named', () => {
  assert.match(checkGroupPath('', GITLAB) ?? '', /must not be empty/)
})

describe('names that GitHub has are accepted', () => {
  for (const [owner, repository] of [
    ['acme', 'app'],
    ['Acme-2', '.github'],
    ['jane_acme', 'a.b-c_d'],
    ['x'.repeat(39), 'y'.repeat(100)],
  ] as const) {
    test(`${owner}/${repository}`.slice(0, 30), () => {
      assert.equal(checkGroupPath(owner, GITHUB), undefined)
      assert.equal(checkProjectPath(repository, GITHUB), undefined)
    })
  }
})

describe('what GitHub has not is refused', () => {
  const owners: readonly [name: string, problem: RegExp][] = [
    ['', /must not be empty: write the name of the organisation or user, for example my-org/],
    ['acme/app', /write group 'acme' and project 'app'/],
    ['acme/sub/app', /has a slash: write the name of the organisation or user alone/],
    ['-acme', /a letter or digit first/],
    ['acme.com', /letters, digits/],
    ['ac\u212ae', /letters, digits/],
    ['acme/', /write 'acme'/],
    ['acme*', /no patterns here; a group covers all its projects where a rule has none/],
    ['https://github.com/acme', /write 'acme' as its path in GitHub/],
    ['https://github.com/acme/app', /write group 'acme' and project 'app'/],
    ['git@github.com:acme/app.git', /write group 'acme' and project 'app'/],
    ['https://github.com/acme/app/tree/main', /not a URL: write for example 'my-org'/],
    ['x'.repeat(40), /at most 39 characters$/],
  ]
  for (const [name, problem] of owners) {
    test(`the owner ${name.slice(0, 30)}`, () => {
      assert.match(checkGroupPath(name, GITHUB) ?? 'accepted', problem)
    })
  }

  const repositories: readonly [name: string, problem: RegExp][] = [
    ['acme/app', /write group 'acme' and project 'app'/],
    ['app.git', /ends with '\.git'/],
    ['..', /ends with '\.\.'/],
    ['my app', /letters, digits/],
    ['a/b/c', /has a slash: write the name of the repository alone/],
    ['x'.repeat(101), /at most 100 characters$/],
  ]
  for (const [name, problem] of repositories) {
    test(`the repository ${name.slice(0, 30)}`, () => {
      assert.match(checkProjectPath(name, GITHUB) ?? 'accepted', problem)
    })
  }
})
