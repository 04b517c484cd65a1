import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicAddress } from '../../src/issuer/public-address.ts'

test('addresses of the public Internet are public', () => {
  const addresses = [
    '8.8.8.8',
    '1.1.1.1',
    '172.65.251.78',
    '100.63.255.255',
    '100.128.0.1',
    '11.0.0.1',
    '172.15.0.1',
    '172.32.0.1',
  ]
  const addresses6 = [
    '2606:4700:90:0:f22e:fbec:5bed:a9b9',
    '2a00:1450:4001::1',
    '2001:4860:4860::8888',
    '2001:200::1',
  ]

  for (const address of [...addresses, ...addresses6]) assert.equal(isPublicAddress(address), true, address)
})

test('addresses of every special-purpose range of IPv4 are not', () => {
  const addresses = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.0.170',
    '192.0.2.1',
    '192.31.196.1',
    '192.52.193.1',
    '192.88.99.1',
    '192.168.1.1',
    '192.175.48.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
  ]

  for (const address of addresses) assert.equal(isPublicAddress(address), false, address)
})

test('addresses of every special-purpose range of IPv6 are not, nor those that carry an IPv4 address', () => {
  const addresses = [
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '100::1',
    '100:0:0:1::1',
    '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:2::1',
    '2001:3::1',
    '2001:4:112::1',
    '2001:10::1',
    '2001:20::1',
    '2001:30::1',
    '2001:1::1',
    '2001:1ff::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:808:808::1',
    '2620:4f:8000::1',
    '3fff::1',
    '3fff:fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1%lo',
    'fec0::1',
    'ff02::1',
  ]

  for (const address of addresses) assert.equal(isPublicAddress(address), false, address)
})

test('what is no address in its plain notation is not public', () => {
  const texts = [
    '',
    'localhost',
    '8.8',
    '134744072',
    '0x08.8.8.8',
    '010.8.8.8',
    '8.8.8.8.',
    ' 8.8.8.8',
    '8.8.8.256',
    '2606:::1',
  ]

  for (const text of texts) assert.equal(isPublicAddress(text), false, text)
})
