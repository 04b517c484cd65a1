import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkIssuerUrl, issuerIdFromUrl } from '../../src/issuer/issuer-url.ts'

const rules = {
  ownIssuerUrl: 'https://claimgate.example.com',
  privateIssuers: [
    'http://10.0.0.5:8929/gitlab',
    'http://gitlab.internal',
    'https://[::1]:8443',
    'http://127.1',
    'http://claimgate.example.com/',
    'http://user:secret@10.0.0.6',
    'http://10.0.0.7/?a=b',
    'ftp://10.0.0.8',
    `https://${'a'.repeat(250)}`,
  ],
}

describe('an issuer may be', () => {
  const urls = [
    'https://gitlab.com',
    'https://gitlab.com/',
    'https://gitlab.example.com:8443',
    'https://example.com/gitlab',
    'https://example.com/gitlab/',
    'https://GitLab.Example.com',
    'https://gitlab.example.com:443',
    'https://xn--gitlb-hra.example.com',
    'https://under_score.example.com',
    'https://claimgate.example.com.evil.example',
    'https://claimgate.example.com/gitlab',
    'https://token.actions.githubusercontent.com',
    'http://10.0.0.5:8929/gitlab',
    'http://gitlab.internal',
    'https://[::1]:8443',
    'http://127.1',
    `https://gitlab.example.com/${'a'.repeat(228)}`,
  ]
  for (const url of urls) test(url, () => assert.equal(checkIssuerUrl(url, rules), undefined))
})

describe('an issuer may not be', () => {
  const urls: Record<string, readonly string[]> = {
    'plain http': [
      'http://gitlab.com',
      'HTTP://gitlab.com',
      'http://10.0.0.5:8929',
      'http://gitlab.internal/',
    ],
    'of another scheme': [
      'ftp://gitlab.com',
      'file:///etc/passwd',
      'data:text/plain,a',
      'wss://gitlab.com',
      'ftp://10.0.0.8',
    ],
    'no URL at all': [
      '',
      'gitlab.com',
      '//gitlab.com',
      'https://',
      'https:///path',
      'https://a b.example',
      'https://[::1',
    ],
    'with a user or password': [
      'https://user@gitlab.com',
      'https://user:secret@gitlab.com',
      'https://@gitlab.com',
      'https://:@gitlab.com',
      'http://user:secret@10.0.0.6',
    ],
    'with a query or fragment': [
      'https://gitlab.com?a=b',
      'https://gitlab.com/?',
      'https://gitlab.com#',
      'https://gitlab.com/#a',
      'http://10.0.0.7/?a=b',
    ],
    'an IP address in any notation': [
      'https://127.0.0.1',
      'https://127.1',
      'https://2130706433',
      'https://0x7f000001',
      'https://0x7f.1',
      'https://0177.0.0.1',
      'https://①②⑦.⓪.⓪.①',
      'https://127。0。0。1',
      'https://127.0.0.1.',
      'https://%31%32%37.0.0.1',
      'https://8.8.8.8',
      'https://[::1]',
      'https://[::ffff:127.0.0.1]',
      'https://[2606:4700::1]:8443/path',
    ],
    'longer than 255 characters': [
      `https://gitlab.example.com/${'a'.repeat(229)}`,
      `https://${'a'.repeat(250)}`,
    ],
    'ourselves, however it is written': [
      'https://claimgate.example.com',
      'https://claimgate.example.com/',
      'https://claimgate.example.com//',
      'https://CLAIMGATE.example.com',
      'https://claimgate.example.com:443',
      'http://claimgate.example.com/',
    ],
    'written so that it is resolved as something else': [
      'https://gitlab.com\\@evil.example',
      'https://gitlab.com/\\evil',
      'https://gitlab.com/a/../b',
      'https://gitlab.com/%2e%2e/b',
      'https:gitlab.com',
      'https:/gitlab.com',
      'https:\\\\gitlab.com',
      ' https://gitlab.com',
      'https://gitlab.com ',
      'https://gitlab.com\n',
      'https://git\tlab.com',
      'https://gitlab.com.',
      'https://gitläb.com',
      'https://ｇitlab.com',
      'https://git%6cab.com',
      'https://gitlab.com:0443',
      'https://gitlab.com:',
      'https://gitlab.com/ä',
      'https://gitlab.com\u0000',
      'https://gitlab.com/\u0085',
      'https://gitlab.com/\ud800',
    ],
  }
  for (const [name, list] of Object.entries(urls)) {
    for (const url of list) {
      test(`${name}: ${JSON.stringify(url).slice(0, 60)}`, () => {
        const problem = checkIssuerUrl(url, rules)

        assert.match(problem ?? '', /^(is|has|does) /)
        assert.ok(!problem?.includes(url) || url === '')
      })
    }
  }
})

test('being ourselves is seen through a path too', () => {
  const ownIssuerUrl = 'https://example.com/claimgate/'

  assert.ok(checkIssuerUrl('https://example.com/claimgate', { privateIssuers: [], ownIssuerUrl }))
  assert.equal(checkIssuerUrl('https://example.com/gitlab', { privateIssuers: [], ownIssuerUrl }), undefined)
})

describe('an issuer gets an id of its URL', () => {
  const ids: readonly [string, string][] = [
    ['https://gitlab.com', 'gitlab-com'],
    ['https://gitlab.com/', 'gitlab-com'],
    ['https://GitLab.example.com:8443/git_lab/', 'gitlab-example-com-8443-git-lab'],
    ['http://127.0.0.1:8929', 'i-127-0-0-1-8929'],
    ['https://[::1]:8443', 'i----1--8443'],
    ['https://1and1.example', 'i-1and1-example'],
    [`https://${'a'.repeat(62)}.example`, 'a'.repeat(62)],
    [`https://${'a'.repeat(63)}.example`, 'a'.repeat(63)],
  ]
  for (const [url, expected] of ids) {
    test(`${url.slice(0, 60)} ${expected}`, async () => {
      const id = await issuerIdFromUrl(url, async () => false)

      assert.equal(id, expected)
      assert.match(id, /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
    })
  }

  test('with a number after it where it is taken, within the length', async () => {
    const taken = new Set(['gitlab-com', 'gitlab-com-2', 'a'.repeat(63)])
    const isTaken = async (id: string) => taken.has(id)

    assert.equal(await issuerIdFromUrl('https://gitlab.com', isTaken), 'gitlab-com-3')
    assert.equal(await issuerIdFromUrl(`https://${'a'.repeat(63)}.example`, isTaken), `${'a'.repeat(61)}-2`)
  })
})
