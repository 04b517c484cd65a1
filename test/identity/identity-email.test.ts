import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkIdentityId, emailOf, parseEmail } from '../../src/identity/identity-email.ts'

const DOMAIN = 'workload.example.com'

test('ids of 1 to 63 lower-case letters, digits and inner dashes are accepted', () => {
  for (const id of ['a', 'gitlab-deploy', 'a1', 'a--b', `a${'x'.repeat(62)}`]) {
    assert.equal(checkIdentityId(id), undefined, id)
  }
})

describe('other ids are refused and say why', () => {
  const bad: readonly [id: string, problem: RegExp][] = [
    ['', /required/],
    ['A', /lower case/],
    ['GitLab-Deploy', /lower case/],
    ['1a', /begin with a letter/],
    ['a-', /not end with/],
    ['-a', /begin with a letter/],
    ['a_b', /letters, digits/],
    ['a.b', /letters, digits/],
    ['a\n', /letters, digits/],
    ['\u212a', /letters, digits|lower case/],
    ['a@b', /before '@'/],
    ['a'.repeat(64), /at most 63/],
  ]

  for (const [id, problem] of bad) {
    test(JSON.stringify(id).slice(0, 30), () => {
      assert.match(checkIdentityId(id) ?? 'accepted', problem)
    })
  }
})

test('an id and the domain make the email', () => {
  assert.equal(emailOf('deploy', DOMAIN), `deploy@${DOMAIN}`)
})

describe('emails', () => {
  const good = ['a@b', 'a@b.c', "o'x+y.z@example.com", 'Deploy@Example.COM', `${'a'.repeat(253)}@b`]
  const bad = [
    '',
    'a',
    '@b',
    'a@',
    'a@b@c',
    'a b@c',
    'a@b c',
    'a@-b',
    'a@b-',
    'a@b..c',
    'a@b.',
    'a\n@b',
    'a@b\n',
    'a@b\0',
  ]
  const odd = [
    '"a"@b',
    'a@[1.2.3.4]',
    'ä@b',
    'a@ä',
    'a\\@b',
    'a,b@c',
    `${'a'.repeat(254)}@b`,
    `a@${'b'.repeat(64)}`,
  ]

  for (const text of good) {
    test(`${text.slice(0, 30)} is one`, () => {
      const at = text.indexOf('@')

      assert.deepEqual(parseEmail(text), { local: text.slice(0, at), domain: text.slice(at + 1) })
    })
  }

  for (const text of [...bad, ...odd]) {
    test(`${JSON.stringify(text).slice(0, 30)} is none`, () => {
      assert.equal(parseEmail(text), undefined)
    })
  }
})
