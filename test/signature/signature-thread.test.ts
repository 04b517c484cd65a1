import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { CompactSign, compactVerify } from 'jose'
import { RequestError } from '../../src/errors.ts'
import { createSignatureThread } from '../../src/signature/signature-thread.ts'

const thread = createSignatureThread({})
after(() => thread.close())

const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const theirs = generateKeyPairSync('rsa', { modulusLength: 2048 })
const header = Buffer.from(JSON.stringify({ alg: 'ES256' })).toString('base64url')
const inputOf = (text: string) => `${header}.${Buffer.from(text).toString('base64url')}`
const token = (text: string) =>
  new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'RS256' }).sign(theirs.privateKey)

describe('the signature thread', () => {
  test('answers each of many at once with its own', async () => {
    const good = await token('good')
    const bad = `${good.slice(0, good.lastIndexOf('.'))}.${(await token('bad')).split('.')[2]}`
    const texts = Array.from({ length: 100 }, (_, n) => `text ${n}`)

    const answers = await Promise.all(
      texts.map(async (text, n) => ({
        signed: await thread.sign(ours.privateKey, inputOf(text)),
        verified: await thread.verify('RS256', theirs.publicKey, n % 3 === 0 ? bad : good),
      })),
    )

    for (const [n, { signed, verified }] of answers.entries()) {
      const { payload } = await compactVerify(signed, ours.publicKey, { algorithms: ['ES256'] })
      assert.equal(new TextDecoder().decode(payload), texts[n])
      assert.equal(verified, n % 3 !== 0)
    }
  })

  test('rejects for a key that does not suit, and goes on', async () => {
    const [refused, signed] = await Promise.allSettled([
      thread.verify('RS256', ours.publicKey, await token('x')),
      thread.sign(ours.privateKey, inputOf('y')),
    ])

    assert.equal(refused.status, 'rejected')
    assert.equal(signed.status, 'fulfilled')
  })

  test('knows more keys than it holds', async () => {
    const keys = Array.from({ length: 1100 }, () => generateKeyPairSync('ed25519'))
    const first = await thread.sign(ours.privateKey, inputOf('before'))
    for (const { publicKey } of keys) await thread.verify('EdDSA', publicKey, 'e30.e30.AAAA')
    const again = await thread.sign(ours.privateKey, inputOf('after'))

    for (const jws of [first, again]) await compactVerify(jws, ours.publicKey, { algorithms: ['ES256'] })
  })

  test('lets nobody wait for ever: what it cannot take or finish is unavailable', async () => {
    const closing = createSignatureThread({})
    const asked = Array.from({ length: 1200 }, () => closing.sign(ours.privateKey, inputOf('z')))
    const settled = Promise.allSettled(asked)
    await asked[0]
    await closing.close()
    const late = closing.sign(ours.privateKey, inputOf('late'))

    const refused = (await settled).filter((each) => each.status === 'rejected')
    assert.ok(refused.length >= 200)
    for (const { reason } of refused) assert.ok(isUnavailable(reason))
    await assert.rejects(late, isUnavailable)
  })

  test('is unavailable, and no more than that, where the system gives it no thread', () => {
    // A process that may have no threads at all.
    const source = `
      import { generateKeyPairSync } from 'node:crypto'
      import { createSignatureThread } from '${import.meta.resolve('../../src/signature/signature-thread.ts')}'
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const causes = []
      const thread = createSignatureThread({ log: { error: ({ cause }) => causes.push(cause) } })
      const told = []
      for (const input of ['a', 'b']) await thread.sign(privateKey, input).catch((error) => told.push(error.code))
      await thread.close()
      console.log(JSON.stringify({ told, causes }))`
    const args = ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', source]
    const { told, causes } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))

    assert.deepEqual(told, ['unavailable', 'unavailable'])
    assert.equal(causes.length, 2, 'It is tried again with the next token.')
    for (const cause of causes)
      assert.match(cause, /ERR_ACCESS_DENIED|Access to this API has been restricted/)
  })
})

function isUnavailable(error: unknown): boolean {
  return error instanceof RequestError && error.code === 'unavailable'
}
