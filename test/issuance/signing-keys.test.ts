import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { recordChanges } from '../../src/app/record-changes.ts'
import { createInsertChange } from '../../src/change/change-store.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createKeyEncryption } from '../../src/issuance/key-encryption.ts'
import { replaceSigningKeys, rotateSigningKey } from '../../src/issuance/rotate-signing-keys.ts'
import { listSigningKeys } from '../../src/issuance/signing-key-store.ts'
import { openSigningKeys, type SigningKeys } from '../../src/issuance/signing-keys.ts'
import { createLog } from '../../src/log.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { createTestClock, DATABASES, type TestClock } from '../support/world.ts'

const [key, otherKey] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))]
const [SECOND, MINUTE, DAY] = [1_000, 60_000, 86_400_000]
/** As docs/operate.md has them. */
const [AHEAD, AFTERWARDS] = [11 * MINUTE, 70 * MINUTE]

const BY_OPERATOR = { author: 'operator', reason: undefined }

type Options = {
  readonly keys?: readonly Uint8Array[]
  readonly clock?: () => number
  readonly days?: number
  readonly forget?: (key: KeyObject) => void
}

for (const kind of DATABASES) {
  describe(`the signing keys on ${kind}`, () => {
    let database: TestDatabase
    let clock: TestClock
    let opened: AsyncDisposableStack

    before(async () => {
      database = await openTestDatabase(kind)
    })
    beforeEach(async (t) => {
      clock = createTestClock()
      opened = new AsyncDisposableStack()
      await database.query('delete from signing_keys')
      if ('after' in t) t.after(() => opened.disposeAsync())
    })
    after(() => database?.close())

    /** An instance's keys. */
    async function open({ keys = [key], days = 0, ...more }: Options = {}): Promise<SigningKeys> {
      return opened.use(
        await openSigningKeys({
          ...deps(keys),
          log: createLog('silent'),
          signingKeyRotationDays: days,
          ...more,
        }),
      )
    }
    const deps = (keys: readonly Uint8Array[] = [key]) => ({
      db: database.db,
      encryption: createKeyEncryption(keys),
      clock,
      ...recordChanges(createInsertChange(createDecisionIds())),
    })
    async function rotate(keys?: readonly Uint8Array[]) {
      clock.advance(SECOND)
      return rotateSigningKey(deps(keys), BY_OPERATOR)
    }
    async function replace(keys?: readonly Uint8Array[]) {
      clock.advance(SECOND)
      return replaceSigningKeys(deps(keys), BY_OPERATOR)
    }
    const rows = () => database.query('select * from signing_keys order by create_time, kid')
    const states = async () => (await rows()).map(({ state }) => state)
    const published = async (keys: SigningKeys) => (await keys.publish()).keys.map(({ kid }) => kid)

    describe('at the start', () => {
      test('one is made, and stays', async () => {
        const first = await open()
        const second = await open()

        assert.equal(second.activeKeyId(), first.activeKeyId())
        assert.deepEqual(await second.publish(), await first.publish())
        assert.equal((await rows()).length, 1)
      })

      test('there is one, however many instances start at once', async () => {
        const instances = await Promise.all(Array.from({ length: 6 }, () => open()))

        assert.equal(new Set(instances.map((keys) => keys.activeKeyId())).size, 1)
        assert.equal((await rows()).length, 1)
      })

      test('it is published without its private part, as a key that signs ES256', async () => {
        const keys = await open()

        const [jwk, ...more] = (await keys.publish()).keys
        assert.equal(more.length, 0)
        assert.deepEqual(Object.keys(jwk ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
        assert.equal(jwk?.kid, keys.activeKeyId())
        assert.equal(jwk?.alg, 'ES256')
        assert.equal(jwk?.crv, 'P-256')
        assert.equal(jwk?.use, 'sig')
      })

      test('it lies sealed in its row, and what is sealed there signs what the published key verifies', async () => {
        const keys = await open()
        const [row] = await rows()

        const privateJwk = JSON.parse(
          await createKeyEncryption([key]).open(row.encrypted_private_key, row.kid),
        )

        assert.doesNotMatch(JSON.stringify(row), new RegExp(privateJwk.d))
        const privateKey = createPrivateKey({ key: privateJwk, format: 'jwk' })
        const [jwk] = (await keys.publish()).keys
        const publicKey = createPublicKey({ key: jwk as Record<string, unknown>, format: 'jwk' })
        const signature = sign('sha256', Buffer.from('text'), privateKey)
        assert.equal(verify('sha256', Buffer.from('text'), publicKey, signature), true)
      })

      test('one can be active, and one pending, in the database', async () => {
        await open()
        await rotate()

        for (const state of ['active', 'pending']) {
          const refusal = await database.refusal(`insert into signing_keys
            select 'another', algorithm, public_jwk, encrypted_private_key, state, create_time
              from signing_keys where state = upper('${state}')`)
          assert.match(refusal, new RegExp(`signing_keys_one_${state}`))
        }
      })

      test('one that was exchanged for another row’s is not signed with', async () => {
        const keys = await open()
        const foreign = await createKeyEncryption([key]).seal('{}', 'another-kid')
        await database.query(
          `update signing_keys set encrypted_private_key = '${foreign}' where kid = '${keys.activeKeyId()}'`,
        )

        await assert.rejects(open(), /moved to another row/)
      })
    })

    describe('a rotation', () => {
      test('publishes the next key, has it sign when all may know it, and drops the old one after its last token', async () => {
        const keys = await open()
        const first = keys.activeKeyId()
        const { kid: second } = await rotate()
        await keys.refresh()
        assert.deepEqual(await published(keys), [second, first])
        assert.equal(keys.activeKeyId(), first)

        clock.advance(AHEAD - 1)
        await keys.refresh()
        assert.deepEqual(await states(), ['ACTIVE', 'PENDING'])
        clock.advance(1)
        await keys.refresh()

        assert.equal(keys.activeKeyId(), second)
        assert.deepEqual(await states(), ['RETIRED', 'ACTIVE'])
        assert.deepEqual(await published(keys), [second, first])
        clock.advance(AFTERWARDS - 1)
        await keys.refresh()
        assert.deepEqual(await published(keys), [second, first])
        clock.advance(1)
        await keys.refresh()
        assert.deepEqual(await published(keys), [second])
        assert.deepEqual(await states(), ['DROPPED', 'ACTIVE'])
      })

      test('writes down when each of it was', async () => {
        const start = clock()
        const keys = await open()
        const { activateTime } = await rotate()
        const made = clock()
        assert.equal(activateTime?.getTime(), made + AHEAD)
        clock.advance(AHEAD + 7 * SECOND)
        await keys.refresh()
        const retired = clock()
        clock.advance(AFTERWARDS + 3 * SECOND)

        await keys.refresh()

        const times = (await listSigningKeys(database.db, { after: undefined, limit: 10 })).map((each) => [
          each.createTime.getTime(),
          each.activateTime?.getTime(),
          each.retireTime?.getTime(),
          each.dropTime?.getTime(),
        ])
        assert.deepEqual(times, [
          [made, retired, undefined, undefined],
          [start, start, retired, clock()],
        ])
      })

      test('leaves no private key of one that does not sign, neither stored nor held', async () => {
        const forgotten: KeyObject[] = []
        const keys = await open({ forget: (each) => forgotten.push(each) })
        const first = keys.activeKeyId()
        const { kid: second } = await rotate()
        clock.advance(AHEAD)

        await keys.refresh()

        assert.deepEqual(
          (await rows()).map((row) => row.encrypted_private_key !== null),
          [false, true],
        )
        // What was decided a moment ago is still to be signed.
        const private_ = keys.findPrivateKey(first)
        assert.ok(private_)
        clock.advance(30 * SECOND)
        await keys.refresh()
        assert.equal(keys.findPrivateKey(first), undefined)
        assert.deepEqual(forgotten, [private_])
        assert.ok(keys.findPrivateKey(second))
      })

      test('cannot be undone by making active what has no private key', async () => {
        const keys = await open()
        await rotate()
        clock.advance(AHEAD)
        await keys.refresh()

        const refusal = await database.refusal(
          `update signing_keys set state = 'PENDING' where state = 'RETIRED'`,
        )

        assert.match(refusal, /signing_keys_private_while_signing/)
      })

      test('that many ask for at once is one', async () => {
        await open()

        const made = await Promise.all(Array.from({ length: 6 }, () => rotate()))

        assert.equal(new Set(made.map(({ kid }) => kid)).size, 1)
        assert.deepEqual((await states()).toSorted(), ['ACTIVE', 'PENDING'])
      })

      test('that many instances find due at once is made once', async () => {
        const instances = await Promise.all(Array.from({ length: 4 }, () => open({ days: 30 })))
        clock.advance(30 * DAY)
        await Promise.all(instances.map((keys) => keys.refresh()))
        assert.deepEqual((await states()).toSorted(), ['ACTIVE', 'PENDING'])
        clock.advance(AHEAD)
        await Promise.all(instances.map((keys) => keys.refresh()))

        await Promise.all(instances.map((keys) => keys.refresh()))

        assert.equal(new Set(instances.map((keys) => keys.activeKeyId())).size, 1)
        assert.deepEqual((await states()).toSorted(), ['ACTIVE', 'RETIRED'])
      })

      test('is gone on with by whoever comes after a crash, and after months', async () => {
        await open()
        const { kid } = await rotate()
        clock.advance(90 * DAY)

        const keys = await open()

        assert.equal(keys.activeKeyId(), kid)
      })

      test('of one instance is known to another that did not look meanwhile, before it says anything of keys', async () => {
        const [one, other] = [await open(), await open()]
        const first = other.activeKeyId()
        await rotate()
        clock.advance(AHEAD)
        await one.refresh()

        assert.equal(other.activeKeyId(), first)
        assert.equal(other.areFresh(), false)
        assert.deepEqual(await published(other), await published(one))
        assert.equal(other.activeKeyId(), one.activeKeyId())
        assert.equal(other.areFresh(), true)
      })

      test('waits for the instances whose clock is behind no longer than clocks may differ', async () => {
        const ahead = await open({ clock: () => clock() + MINUTE })
        const behind = await open({ clock: () => clock() - MINUTE })
        const { kid } = await rotate()

        clock.advance(AHEAD - MINUTE - 1)
        await Promise.all([ahead.refresh(), behind.refresh()])
        assert.notEqual(ahead.activeKeyId(), kid)
        clock.advance(1)
        await ahead.refresh()
        await behind.refresh()

        assert.equal(ahead.activeKeyId(), kid)
        assert.equal(behind.activeKeyId(), kid)
      })
    })

    describe('the schedule', () => {
      test('publishes the next key once the one that signs is so many days old, again and again', async () => {
        const keys = await open({ days: 30 })
        const seen = new Set([keys.activeKeyId()])
        for (let round = 0; round < 3; round++) {
          clock.advance(30 * DAY - 1)
          await keys.refresh()
          assert.ok(!(await states()).includes('PENDING'))
          clock.advance(1)
          await keys.refresh()
          assert.ok((await states()).includes('PENDING'))
          clock.advance(AHEAD)
          await keys.refresh()
          seen.add(keys.activeKeyId())
        }

        assert.equal(seen.size, 4)
        assert.deepEqual(await states(), ['DROPPED', 'DROPPED', 'RETIRED', 'ACTIVE'])
      })

      test('of 0 days never does', async () => {
        const keys = await open({ days: 0 })
        clock.advance(3650 * DAY)

        await keys.refresh()

        assert.deepEqual(await states(), ['ACTIVE'])
        assert.equal(keys.times().nextTime, undefined)
      })

      test('counts from when a key began to sign, and tells what is next', async () => {
        const keys = await open({ days: 30 })
        assert.equal(keys.times().nextTime, clock() + 30 * DAY)
        await rotate()
        await keys.refresh()
        assert.equal(keys.times().nextTime, clock() + AHEAD)
        clock.advance(AHEAD)

        await keys.refresh()

        assert.equal(keys.times().nextTime, clock() + 30 * DAY)
      })

      test('is kept by a clock that was set back, which makes nothing due', async () => {
        const keys = await open({ days: 30 })
        await rotate()
        clock.advance(-400 * DAY)

        await keys.refresh()

        assert.deepEqual((await states()).toSorted(), ['ACTIVE', 'PENDING'])
        assert.equal(keys.areFresh(), true)
      })
    })

    describe('an emergency', () => {
      test('has a new key sign at once, and takes away each one before it, whatever it was for', async () => {
        const keys = await open()
        await rotate()
        clock.advance(AHEAD)
        await keys.refresh()
        await rotate()
        await keys.refresh()
        assert.deepEqual((await states()).toSorted(), ['ACTIVE', 'PENDING', 'RETIRED'])
        const before = await published(keys)

        const { kid } = await replace()
        await keys.refresh()

        assert.deepEqual(await published(keys), [kid])
        assert.equal(keys.activeKeyId(), kid)
        for (const each of before) assert.equal(keys.findPrivateKey(each ?? ''), undefined)
        const revoked = (await rows()).filter((row) => row.kid !== kid)
        for (const row of revoked) {
          assert.equal(row.state, 'REVOKED')
          assert.equal(row.encrypted_private_key, null)
          assert.equal(row.drop_time.getTime(), clock())
        }
        assert.equal(
          revoked.filter((row) => row.activate_time === null).length,
          1,
          'the one that never signed',
        )
      })

      test('that two see at once is one', async () => {
        const keys = await open()

        const made = await Promise.all([replace(), replace()])
        await keys.refresh()

        assert.ok(made.some(({ kid }) => kid === keys.activeKeyId()))
        assert.deepEqual((await states()).filter((state) => state === 'ACTIVE').length, 1)
      })

      test('after another one takes away the key of that', async () => {
        await open()
        const first = await replace()
        clock.advance(SECOND)

        const second = await replace()

        assert.notEqual(second.kid, first.kid)
        assert.deepEqual(await states(), ['REVOKED', 'REVOKED', 'ACTIVE'])
      })

      test('needs no key that opens those before', async () => {
        await open()

        const { kid } = await replace([otherKey])

        const keys = await open({ keys: [otherKey] })
        assert.equal(keys.activeKeyId(), kid)
      })

      test('is known to an instance that did not look, once a token of the new key is shown to it', async () => {
        const other = await open()
        const { kid } = await replace()

        const found = await other.findPublicKey(kid)

        assert.ok(found)
        assert.equal(other.activeKeyId(), kid)
      })
    })

    describe('the encryption keys', () => {
      test('open it, any of them; and the first seals it anew, so that the others can go', async () => {
        const first = await open()

        const second = await open({ keys: [otherKey, key] })
        const third = await open({ keys: [otherKey] })

        assert.equal(second.activeKeyId(), first.activeKeyId())
        assert.equal(third.activeKeyId(), first.activeKeyId())
      })

      test('seal a key that waits, too', async () => {
        await open()
        const { kid } = await rotate()
        await open({ keys: [otherKey, key] })
        clock.advance(AHEAD)

        const keys = await open({ keys: [otherKey] })

        assert.equal(keys.activeKeyId(), kid)
        assert.ok(keys.findPrivateKey(kid))
      })

      test('that do not open the one that signs, or will, are told of at the start; nothing is made', async () => {
        await open()
        await assert.rejects(
          open({ keys: [otherKey] }),
          /No KEY_ENCRYPTION_KEY opens the signing key .* is missing/,
        )
        const { kid } = await rotate([otherKey])

        await assert.rejects(open(), new RegExp(`opens the signing key ${kid}`))

        assert.deepEqual(await states(), ['ACTIVE', 'PENDING'])
      })

      test('need not open what has retired', async () => {
        const keys = await open()
        const { kid } = await rotate()
        clock.advance(AHEAD)
        await keys.refresh()
        await open({ keys: [otherKey, key] })

        const later = await open({ keys: [otherKey] })

        assert.equal(later.activeKeyId(), kid)
        assert.equal((await published(later)).length, 2)
      })

      test('of an instance that lacks one keep it from making a key active that it cannot sign with', async () => {
        const keys = await open()
        const first = keys.activeKeyId()
        const { kid } = await rotate([otherKey])
        clock.advance(AHEAD)

        await keys.refresh()
        assert.equal(keys.activeKeyId(), first)
        await open({ keys: [key, otherKey] })
        await keys.refresh()

        // Sealed anew by that one, it opens here too.
        assert.equal(keys.activeKeyId(), kid)
      })

      test('that are missing where the key signs already make an instance unready, and sign nothing', async () => {
        const keys = await open()
        await replace([otherKey])

        await assert.rejects(keys.check(), { code: 'unavailable' })

        assert.throws(() => keys.activeKeyId(), { code: 'unavailable' })
      })
    })

    test('a key set that could not be read for minutes is given, and may be kept for ever shorter', async () => {
      const keys = await open()
      await database.query('alter table signing_keys rename to elsewhere')
      const maxAges: number[] = []
      try {
        for (const minutes of [0, 5, 2, 2, 120]) {
          clock.advance(minutes * MINUTE)
          const { keys: jwks, maxAgeSeconds } = await keys.publish()
          assert.equal(jwks.length, 1)
          maxAges.push(maxAgeSeconds)
        }
      } finally {
        await database.query('alter table elsewhere rename to signing_keys')
      }

      assert.deepEqual(maxAges, [300, 300, 180, 60, 10])
    })

    test('are listed whole, the newest first, page by page', async () => {
      await open()
      // Some of them in the same millisecond.
      for (let at = 0; at < 4; at++) await replaceSigningKeys(deps(), BY_OPERATOR)
      await replace()
      const all = await listSigningKeys(database.db, { after: undefined, limit: 10 })

      const paged = []
      for (let after: string | undefined; ; ) {
        const [next] = await listSigningKeys(database.db, { after, limit: 1 })
        if (next === undefined) break
        paged.push(next.kid)
        after = `${next.createTime.toISOString()}/${next.kid}`
      }

      assert.equal(all.length, 6)
      assert.deepEqual(
        paged,
        all.map(({ kid }) => kid),
      )
    })
  })
}
