import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { readTime } from '../../src/fields/read-time.ts'

const schema = z.string().transform(readTime)
const NOON = Date.UTC(2026, 10, 25, 12)

describe('a time is read as RFC 3339 has it', () => {
  for (const [text, time] of [
    ['2026-11-25T12:00:00Z', NOON],
    ['2026-11-25t12:00:00z', NOON],
    ['2026-11-25T13:00:00+01:00', NOON],
    ['2026-11-25T01:30:00-10:30', NOON],
    ['2026-11-25T12:00:00-00:00', NOON],
    ['2026-11-26T11:59:00+23:59', NOON],
    ['2026-11-25T12:00:00.1Z', NOON + 100],
    ['2026-11-25T12:00:00.120Z', NOON + 120],
    ['2026-11-25T12:00:00.120000000000Z', NOON + 120],
    ['2026-11-25T12:00:00.1200001Z', NOON + 121],
    ['2026-11-25T12:00:00.9999Z', NOON + 1000],
    ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
    ['2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1)],
    ['2017-01-01T00:59:60.5+01:00', Date.UTC(2017, 0, 1) + 500],
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59Z', -1000],
    ['0001-01-01T00:00:00Z', Date.parse('0001-01-01T00:00:00Z')],
    ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ] as const) {
    test(text, () => {
      assert.equal(schema.parse(text), time)
    })
  }

  for (const text of [
    'yesterday',
    '2026-11-25',
    '2026-11-25T12:00Z',
    '2026-11-25T12:00:00',
    '2026-11-25 12:00:00Z',
    '2026-11-25T12:00:00+0100',
    '2026-11-25T12:00:00+01',
    '2026-11-25T12:00:00+24:00',
    '2026-11-25T12:00:00+01:60',
    '2026-11-25T12:00:00.Z',
    '2026-11-25T12:00:00,5Z',
    '2026-11-25T24:00:00Z',
    '2026-11-25T12:60:00Z',
    '2026-11-25T12:00:60Z',
    '2026-11-25T12:00:61Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '2027-02-29T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
    '+002026-11-25T12:00:00Z',
    '26-11-25T12:00:00Z',
    '1764028800',
    '２０２６-11-25T12:00:00Z',
    '2026-11-25T12:00:00Z\n',
    ' 2026-11-25T12:00:00Z',
  ]) {
    test(`and as nothing else: ${JSON.stringify(text)}`, () => {
      assert.match(schema.safeParse(text).error?.issues[0]?.message ?? '', /^must be a time as in /)
    })
  }

  test('a plus sign that became a space is told of', () => {
    const { error } = schema.safeParse('2026-11-25T12:00:00 01:00')

    assert.match(error?.issues[0]?.message ?? '', /%2B/)
  })
})
