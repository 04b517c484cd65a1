import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName } from '../../src/fields/nearest-name.ts'

test('a name in other case or with other separators is the same name', () => {
  assert.equal(nearestName('issuer_url', ['title', 'issuerUrl']), 'issuerUrl')
  assert.equal(nearestName('ISSUER-URL', ['title', 'issuerUrl']), 'issuerUrl')
})

test('the nearest of several is suggested, and only up to two letters away', () => {
  assert.equal(nearestName('enviroment', ['environment_action', 'environment']), 'environment')
  assert.equal(nearestName('envrnment', ['environment']), 'environment')
  assert.equal(nearestName('enrnment', ['environment']), undefined)
})

test('two letters that changed places are found from five letters on', () => {
  assert.equal(nearestName('titel', ['title']), 'title')
  assert.equal(nearestName('ttiel', ['title']), undefined)
  assert.equal(nearestName('resf', ['refs']), undefined)
})

test('a short name must be nearer', () => {
  assert.equal(nearestName('reft', ['refs']), 'refs')
  assert.equal(nearestName('rxxs', ['refs']), undefined)
})

test('a name without end is not compared', () => {
  assert.equal(nearestName('x'.repeat(30_000), ['x']), undefined)
})
