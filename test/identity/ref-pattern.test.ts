import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { checkRefPattern, noticeRefPattern } from '../../src/identity/ref-pattern.ts'

describe('a pattern that some ref could match is accepted', () => {
  const good = [
    'main',
    'v*',
    'v*.*',
    '*-stable',
    '*a*b*c*',
    'release/*',
    'release/**',
    'a/*/b',
    '*/a',
    '*/a/**',
    'feature/#1$(x)+y|z&"it\'s"',
    'größe/日本/🚀',
    'a@b',
    '@a',
    'a}b]c',
    'a.lock.b',
    'refs',
    'refs/other',
    'heads/main',
    'x'.repeat(1024),
  ]

  for (const pattern of good) {
    test(pattern.slice(0, 40), () => {
      assert.equal(checkRefPattern(pattern), undefined)
    })
  }
})

describe('a pattern that says nothing or too much is refused', () => {
  const bad: readonly [pattern: string, problem: RegExp][] = [
    ['', /leave refs empty/],
    ['*', /leave refs empty/],
    ['**', /leave refs empty/],
    ['***', /leave refs empty/],
    ['*/*', /leave refs empty/],
    ['*/**', /leave refs empty/],
    ['/', /leave refs empty/],
    ['/**', /leave refs empty/],
    ['**/**', /leave refs empty/],
    ['release**', /write 'release\/\*\*'/],
    ['**/main', /'\*\*' elsewhere/],
    ['a/**/b', /write 'a\/\*\*'/],
    ['a/**b', /write 'a\/\*\*'/],
    ['a/***', /write 'a\/\*\*'/],
    ['a/**/**', /write 'a\/\*\*'/],
    ['v?', /'\?'/],
    ['v[0-9]', /'\['/],
    ['{main,dev}', /one entry for each/],
    ['refs/heads/main', /'main' with type BRANCH/],
    ['/refs/heads/main', /'main' with type BRANCH/],
    ['refs/tags/v1', /'v1' with type TAG/],
    ['refs/heads/', /without refs\/heads\//],
    ['refs/heads', /without refs\/heads\//],
    ['refs/merge-requests/1/head', /mergeRequests/],
    ['/main', /begins with '\/'/],
    ['main/', /ends with '\/'/],
    ['release*/', /ends with '\/'/],
    ['a//b', /'\/\/'/],
    ['a//**', /'\/\/'/],
    ['a..b', /'\.\.'/],
    ['a@{b', /'\{'|'@\{'/],
    ['.a', /begins with '\.'/],
    ['a/.b', /begins with '\.'/],
    ['a/.*', /begins with '\.'/],
    ['a.lock', /\.lock/],
    ['a.lock/b', /\.lock/],
    ['*.lock', /\.lock/],
    ['a.', /ends with '\.'/],
    ['-a', /begins with '-'/],
    ['@', /'@' alone/],
    ['a b', /a space/],
    ['a~1', /'~'/],
    ['^v.*$', /not a regular expression/],
    ['a:b', /':'/],
    ['a\\b', /a backslash/],
    ['a\tb', /a control character/],
    ['a\x7fb', /a control character/],
    ['x'.repeat(1025), /at most 1024/],
  ]

  for (const [pattern, problem] of bad) {
    test(JSON.stringify(pattern).slice(0, 40), () => {
      const found = checkRefPattern(pattern)

      assert.match(found ?? 'accepted', problem)
      assert.doesNotMatch(found ?? '', /[\\\p{Cc}]/u)
    })
  }
})

test('of all short names without a wildcard, exactly those that Git takes for a branch are accepted', (t) => {
  if (!isBranchInGit('main')) return t.skip('there is no git here')
  const parts = ['a', '.', '/', '-', '@', '~', ':', ' ', '^', '.lock', '..']
  const names = parts.flatMap((a) =>
    parts.flatMap((b) => [a + b, ...parts.slice(0, 3).map((c) => a + b + c)]),
  )

  const unlike = [...new Set(names)].filter(
    (name) => (checkRefPattern(name) === undefined) !== isBranchInGit(name),
  )

  assert.deepEqual(unlike, [])
})

test('only a pattern that ends with a lone star is noted, with what matches and what does not', () => {
  const differs = "unlike in GitLab's protected branches"

  assert.match(
    noticeRefPattern('a*/*', differs) ?? '',
    /matches 'ax\/1' but not 'ax\/1\/2'.*write 'a\*\/\*\*'/,
  )
  assert.equal(noticeRefPattern('a*', differs), undefined)
  assert.equal(noticeRefPattern('a/**', differs), undefined)
  assert.equal(noticeRefPattern('a*/*', ''), undefined, 'the provider has the same patterns')
})

function isBranchInGit(name: string): boolean {
  try {
    execFileSync('git', ['check-ref-format', '--branch', name], { stdio: ['ignore', 'pipe', 'ignore'] })
    return true
  } catch {
    return false
  }
}
