import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { buildConnector } from 'undici'
import { FetchError } from './fetch-error.ts'

export type Address = { readonly address: string; readonly family: number }

const CONNECT_TIMEOUT_MS = 5_000 // a connection on its way does not hear the signal

/** Connects to the checked addresses and no others; the name is kept for TLS and the Host header. */
export function createCheckedConnector(addresses: readonly Address[]): buildConnector.connector {
  const giveChecked: LookupFunction = (_host, options, callback) => {
    const [first] = addresses
    if (options.all) callback(null, [...addresses])
    else if (first === undefined) callback(new Error('no address'), '')
    else callback(null, first.address, first.family)
  }
  const connect = buildConnector({
    lookup: giveChecked,
    autoSelectFamily: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    allowH2: false,
    maxCachedSessions: 0,
    timeout: CONNECT_TIMEOUT_MS,
  })
  return (options, callback) => {
    connect(options, (...result) => {
      const [error, socket] = result
      if (error !== null) return callback(error, null)
      // The last word has the connection itself: whatever was resolved, this is whom we would talk to.
      if (addresses.some(({ address }) => isSameAddress(address, socket.remoteAddress)))
        return callback(null, socket)
      const wrongPeer = new FetchError('address', socket.remoteAddress)
      socket.destroy()
      return callback(wrongPeer, null)
    })
  }
}

function isSameAddress(address: string, other: string | undefined): boolean {
  if (other === undefined || !ipaddr.isValid(address) || !ipaddr.isValid(other)) return false
  return ipaddr.process(address).toNormalizedString() === ipaddr.process(other).toNormalizedString()
}
