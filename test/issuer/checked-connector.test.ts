import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { createCheckedConnector } from '../../src/issuer/checked-connector.ts'

const server = createServer()
const sockets: Socket[] = []
before(() => new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve)))
after(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

/** The address that a connection to `hostname` ends at, where only 127.0.0.1 was checked; rejects where it is refused. */
function connect(hostname: string): Promise<string | undefined> {
  const connector = createCheckedConnector([{ address: '127.0.0.1', family: 4 }])
  const port = String((server.address() as AddressInfo).port)
  return new Promise((resolve, reject) => {
    connector({ hostname, protocol: 'http:', port }, (...[error, socket]) => {
      if (error !== null) return reject(error)
      sockets.push(socket)
      resolve(socket.remoteAddress)
    })
  })
}

test('a name leads to the address that was checked, whatever it resolves to by now', async () => {
  assert.equal(await connect('gitlab.example.com'), '127.0.0.1')
})

test('an address that was checked is connected to', async () => {
  assert.equal(await connect('127.0.0.1'), '127.0.0.1')
})

test('a connection that reached another address than those checked is given up', async () => {
  await assert.rejects(connect('127.0.0.2'), { code: 'address' })
})
