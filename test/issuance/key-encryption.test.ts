import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { createKeyEncryption } from '../../src/issuance/key-encryption.ts'

const PRIVATE_KEY = JSON.stringify({ kty: 'EC', d: 'a-private-value' })
const [first, second, third] = Array.from({ length: 3 }, () => new Uint8Array(randomBytes(32))) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

describe('sealing a signing key', () => {
  test('hides it, and opening gives it back', async () => {
    const { seal, open } = createKeyEncryption([first])

    const sealed = await seal(PRIVATE_KEY, 'kid')

    assert.equal(await open(sealed, 'kid'), PRIVATE_KEY)
    assert.doesNotMatch(
      sealed
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
        .join(),
      /private|"EC"/,
    )
  })

  test('never gives the same twice', async () => {
    const { seal } = createKeyEncryption([first])

    assert.notEqual(await seal(PRIVATE_KEY, 'kid'), await seal(PRIVATE_KEY, 'kid'))
  })

  test('uses the first of several keys, and any of them opens', async () => {
    const before = await createKeyEncryption([first]).seal(PRIVATE_KEY, 'kid')
    const rotated = createKeyEncryption([second, first])

    const after = await rotated.seal(PRIVATE_KEY, 'kid')

    assert.equal(await rotated.open(before, 'kid'), PRIVATE_KEY)
    assert.equal(await createKeyEncryption([second]).open(after, 'kid'), PRIVATE_KEY)
    await assert.rejects(
      createKeyEncryption([first]).open(after, 'kid'),
      /No KEY_ENCRYPTION_KEY opens the signing key kid/,
    )
  })

  test('needs a key', async () => {
    await assert.rejects(createKeyEncryption([]).seal(PRIVATE_KEY, 'kid'), /no KEY_ENCRYPTION_KEY/)
  })
})

describe('a sealed signing key', () => {
  test('is opened by none of other keys, in words that name no key', async () => {
    const sealed = await createKeyEncryption([first]).seal(PRIVATE_KEY, 'kid')

    const opening = createKeyEncryption([second, third]).open(sealed, 'kid')

    await assert.rejects(opening, (error: Error) => {
      assert.match(
        error.message,
        /No KEY_ENCRYPTION_KEY opens the signing key kid: the one that sealed it is missing/,
      )
      for (const key of [first, second, third])
        assert.ok(!error.message.includes(Buffer.from(key).toString('base64')))
      return true
    })
  })

  test('is of no use in another row', async () => {
    const encryption = createKeyEncryption([first])
    const sealed = await encryption.seal(PRIVATE_KEY, 'kid')

    await assert.rejects(encryption.open(sealed, 'other'), /moved to another row/)
  })

  test('cannot be changed unnoticed, in any of its parts', async () => {
    const encryption = createKeyEncryption([first])
    const sealed = await encryption.seal(PRIVATE_KEY, 'kid')

    for (const [index, part] of sealed.split('.').entries()) {
      if (part === '') continue
      const parts = sealed.split('.')
      parts[index] = (part.startsWith('A') ? 'B' : 'A') + part.slice(1)
      await assert.rejects(encryption.open(parts.join('.'), 'kid'), Error, `part ${index}`)
    }
  })
})
