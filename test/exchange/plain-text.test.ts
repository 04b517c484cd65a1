import assert from 'node:assert/strict'
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { plainJson, plainText } from '../../src/exchange/plain-text.ts'
import type { JsonObject } from '../../src/json.ts'

const directory = mkdtempSync(join(tmpdir(), 'plain-text-'))
for (const name of ['main', 'v1', "'v1", 'a', 'b c', 'x*', '[a]', 'secret?', '-n', 'release']) {
  writeFileSync(join(directory, name), '')
}
after(() => rmSync(directory, { recursive: true }))

describe('a text stays readable', () => {
  const cases: readonly [given: string, plain: string][] = [
    ['nothing to do', 'nothing to do'],
    ["branch 'main' or tag 'v*'", "branch 'main' or tag 'v*'"],
    ['a * b', "a '*' b"],
    ['v*', "'v*'"],
    ['(v*, w?).', "('v*', 'w?')."],
    ['from [prod] on', "from '[prod]' on"],
    ["'v*','w*'", "'v*','w*'"],
    ["'a * b'", "'a '*' b'"],
    ["it's *", "it's '*'"],
    ["'it's*'", "'it’s*'"],
    ["'*", "'’*'"],
    ['say "hi"', "say 'hi'"],
    ['a\nb\r\n\tc', 'a b c'],
    ['a\u0000\u001b[31mb', "a '[31mb'"],
    ['a\u009b\u007f\u2028\u2029b', 'a b'],
    ['a\u202eb', 'a b'],
    ['a\\b', 'a\ufffdb'],
    ['\ud800 \udc00', '\ufffd \ufffd'],
    ['größe 日本 🚀', 'größe 日本 🚀'],
    ['', ''],
  ]

  for (const [given, plain] of cases) {
    test(JSON.stringify(given), () => {
      assert.equal(plainText(given), plain)
    })
  }
})

test('names and texts are made plain all through an answer, and nothing else is touched', () => {
  const answer = JSON.parse('{"a\\nb": [1, 1.5, true, null, "x\\"y", {"__proto__": "\\\\"}]}')

  const plain = plainJson(answer)

  assert.equal(JSON.stringify(plain), '{"a b":[1,1.5,true,null,"x\'y",{"__proto__":"\ufffd"}]}')
})

describe('an answer echoed unquoted by a script', () => {
  const texts = [
    'any branch * or tag v* or [ab] or ?',
    "pattern 'v*' and 'a * b' and it's *",
    "'*' * '*",
    `back\\slash \\n \\c \\0101 "quoted" \n\r\t\u0000\u001b[0m`,
    '$(touch owned) `touch owned` ; touch owned',
    '-n -e * /*  ../* ~ {a,b}',
    '\u2028\u2029\u0085 \ud83d half, whole 🚀',
    '* *',
    ' *',
    '* ',
  ]

  for (const shell of ['sh', 'dash', 'bash']) {
    const missing = isMissing(shell)
    for (const text of texts) {
      test(`by ${shell}: ${JSON.stringify(text)}`, { skip: missing }, () => {
        const answer = answerWith(text)

        const echoed = echo(shell, JSON.stringify(answer))

        assert.deepEqual(JSON.parse(echoed), collapsed(answer))
        assert.equal(echoed.split('\n').length, 2)
      })
    }
  }

  test('is what jq reads', { skip: isMissing('jq') }, () => {
    const answer = answerWith(texts.join(' '))

    const message = execFileSync(
      'sh',
      ['-c', 'echo $RESPONSE | jq -r .message'],
      options(JSON.stringify(answer)),
    )

    assert.equal(message, `${collapsed(answer).message}\n`)
  })

  test('is whole for hundreds of random texts', () => {
    const random = createRandom(1)
    const answers = Array.from({ length: 300 }, () => answerWith(randomText(random)))

    const script = answers.map((_, index) => `echo $R${index}`).join('\n')
    const env = Object.fromEntries(answers.map((answer, index) => [`R${index}`, JSON.stringify(answer)]))
    const lines = execFileSync('sh', ['-c', script], { cwd: directory, env, encoding: 'utf8' }).split('\n')

    assert.equal(lines.length, answers.length + 1)
    for (const [index, answer] of answers.entries()) {
      assert.deepEqual(JSON.parse(lines[index] ?? ''), collapsed(answer))
    }
  })
})

test('any text becomes one that keeps every promise, and stays as it is when made plain again', () => {
  const random = createRandom(2)

  for (let round = 0; round < 20_000; round++) {
    const given = randomText(random)
    const plain = plainText(given)
    assert.doesNotMatch(JSON.stringify(plain), /\\/)
    assert.doesNotMatch(plain, /[\p{Cc}\p{Cs}\u2028\u2029]/u)
    for (const word of plain.split(/\s/)) assert.doesNotMatch(word.replace(/'[^']*'/g, ''), /[*?[]/, given)
    assert.equal(plainText(plain), plain)
  }
})

test('a long hostile text costs milliseconds', () => {
  const texts = ['*', "'", '*'.concat(')'.repeat(100)), "'*", '*)', '[', '\\', ' *'].map((text) =>
    text.repeat(20_000),
  )
  const started = process.threadCpuUsage()

  for (const text of [...texts, `*${')'.repeat(100_000)}x`]) plainText(text)

  assert.ok(process.threadCpuUsage(started).user < 2_000_000)
})

function answerWith(text: string): { readonly message: string; readonly details: readonly JsonObject[] } {
  return {
    message: plainText(text),
    details: [
      Object.fromEntries([[plainText(`name ${text}`), plainJson({ actual: text, list: [text, 1] })]]),
    ],
  }
}

/** Unquoted, runs of spaces arrive as one space; that is all that may change. */
function collapsed<T>(answer: T): T {
  return JSON.parse(JSON.stringify(answer).replaceAll(/ +/g, ' '))
}

function echo(shell: string, response: string): string {
  const echoed = execFileSync(shell, ['-c', 'echo $RESPONSE'], options(response))
  assert.ok(!existsSync(join(directory, 'owned')))
  return echoed
}

function options(response: string): ExecFileSyncOptionsWithStringEncoding {
  const env = { PATH: process.env.PATH, RESPONSE: response }
  return { cwd: directory, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
}

function isMissing(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' })
    return false
  } catch {
    return true
  }
}

function randomText(random: () => number): string {
  const alphabet = [
    '*',
    '?',
    '[',
    ']',
    "'",
    '"',
    '\\',
    ' ',
    ' ',
    'a',
    'b',
    '-',
    '(',
    ')',
    '.',
    ',',
    '’',
    '$',
    '`',
    '~',
  ]
  const length = Math.floor(random() * 24)
  return Array.from({ length }, () => {
    const kind = random()
    if (kind < 0.8) return alphabet[Math.floor(random() * alphabet.length)]
    if (kind < 0.9) return String.fromCharCode(Math.floor(random() * 0xa0))
    if (kind < 0.95) return String.fromCharCode(Math.floor(random() * 0x10000))
    return String.fromCodePoint(Math.floor(random() * 0x110000))
  }).join('')
}

/** A generator with a seed (mulberry32), so that a failure comes again. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
