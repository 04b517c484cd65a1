import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkGroupPath, checkProjectPath } from '../../src/identity/gitlab-path.ts'

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
      assert.equal(checkGroupPath(path), undefined)
      assert.equal(checkProjectPath(path), undefined)
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
      assert.match(checkGroupPath(path) ?? 'accepted', problem)
      assert.match(checkProjectPath(path) ?? 'accepted', problem)
    })
  }
})

test('a group must be named', () => {
  assert.match(checkGroupPath('') ?? '', /must not be empty/)
})
