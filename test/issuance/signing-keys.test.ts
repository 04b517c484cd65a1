import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createKeyEncryption } from '../../src/issuance/key-encryption.ts'
import { loadSigningKeys } from '../../src/issuance/signing-keys.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { DATABASES } from '../support/world.ts'

const NOW = Date.UTC(2026, 10, 24, 12)
const [key, otherKey] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))]

for (const kind of DATABASES) {
  describe(`the signing key on ${kind}`, () => {
    let database: TestDatabase

    before(async () => {
      database = await openTestDatabase(kind)
    })
    beforeEach(() => database.query('delete from signing_keys'))
    after(() => database?.close())

    const load = (...keys: readonly Uint8Array[]) =>
      loadSigningKeys({ db: database.db, encryption: createKeyEncryption(keys), clock: () => NOW })
    const rows = () => database.query('select * from signing_keys')

    test('is made at the first start and stays', async () => {
      const first = await load(key)
      const second = await load(key)

      assert.equal(second.active.kid, first.active.kid)
      assert.deepEqual(second.jwks, first.jwks)
      assert.equal((await rows()).length, 1)
    })

    test('is one, however many instances start at once', async () => {
      const loaded = await Promise.all(Array.from({ length: 6 }, () => load(key)))

      assert.equal(new Set(loaded.map(({ active }) => active.kid)).size, 1)
      assert.equal((await rows()).length, 1)
    })

    test('is published without its private part, as a key that signs ES256', async () => {
      const { active, jwks } = await load(key)

      const [published, ...more] = jwks.keys
      assert.equal(more.length, 0)
      assert.deepEqual(Object.keys(published ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      assert.equal(published?.kid, active.kid)
      assert.equal(published?.alg, 'ES256')
      assert.equal(published?.crv, 'P-256')
      assert.equal(published?.use, 'sig')
    })

    test('lies sealed in its row, and what is sealed there signs what the published key verifies', async () => {
      const { active, jwks } = await load(key)
      const [row] = await rows()

      const privateJwk = JSON.parse(
        await createKeyEncryption([key]).open(row.encrypted_private_key, active.kid),
      )

      assert.doesNotMatch(JSON.stringify(row), new RegExp(privateJwk.d))
      const privateKey = createPrivateKey({ key: privateJwk, format: 'jwk' })
      const publicKey = createPublicKey({ key: jwks.keys[0] as Record<string, unknown>, format: 'jwk' })
      const signature = sign('sha256', Buffer.from('text'), privateKey)
      assert.equal(verify('sha256', Buffer.from('text'), publicKey, signature), true)
    })

    test('opens with any of several encryption keys', async () => {
      const first = await load(key)

      const second = await load(otherKey, key)

      assert.equal(second.active.kid, first.active.kid)
    })

    test('does not open with another encryption key, which is said clearly and makes no second one', async () => {
      await load(key)

      await assert.rejects(load(otherKey), /No KEY_ENCRYPTION_KEY opens the signing key .* is missing/)

      assert.equal((await rows()).length, 1)
    })

    test('can be active only once in the database', async () => {
      await load(key)

      const refusal = await database.refusal(`insert into signing_keys
        select 'another', algorithm, public_jwk, encrypted_private_key, state, create_time from signing_keys`)

      assert.match(refusal, /signing_keys_one_active/)
    })

    test('that was exchanged for another row’s is not signed with', async () => {
      const { active } = await load(key)
      const foreign = await createKeyEncryption([key]).seal('{}', 'another-kid')
      await database.query(
        `update signing_keys set encrypted_private_key = '${foreign}' where kid = '${active.kid}'`,
      )

      await assert.rejects(load(key), /moved to another row/)
    })
  })
}
