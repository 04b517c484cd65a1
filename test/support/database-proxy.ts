import type { AddressInfo } from 'node:net'
import { createConnection, createServer, type Socket } from 'node:net'

/** Stands between the service and PostgreSQL, and sees or spoils what passes. */
export type DatabaseProxy = {
  /** The database's URL through the proxy. */
  readonly url: string
  /** How many statements were answered so far. */
  roundTrips(): number
  /** Cuts the connection of the next statement that inserted rows once it is committed, before its answer passes. */
  loseNextCommit(): void
  close(): Promise<void>
}

/** PostgreSQL's ReadyForQuery, outside of a transaction: the statement before it is committed. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1')
const INSERTED = Buffer.from('INSERT 0 ', 'latin1')

export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let roundTrips = 0
  let losesNext = false

  const server = createServer((client) => {
    const upstream = createConnection(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (answer) => {
      if (losesNext && answer.includes(INSERTED) && answer.includes(READY)) {
        losesNext = false
        return void client.destroy()
      }
      roundTrips += countOf(answer, READY)
      client.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)

  return {
    url: url.href,
    roundTrips: () => roundTrips,
    loseNextCommit() {
      losesNext = true
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function countOf(bytes: Buffer, pattern: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(pattern); at !== -1; at = bytes.indexOf(pattern, at + 1)) count++
  return count
}
