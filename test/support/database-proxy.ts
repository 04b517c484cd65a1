import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './postgres.ts'

/** A way to a PostgreSQL server that counts what is asked of it. */
export type DatabaseProxy = {
  /** The URL that it was made for, by way of the proxy. */
  readonly url: string
  /** How many statements clients have had executed so far. */
  readonly statements: number
  close(): void
}

/** Listens on loopback and hands everything on, both ways. */
export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const { hostname, port: targetPort } = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let statements = 0
  const server = createServer((client) => {
    const upstream = connect(Number(targetPort), hostname)
    const count = createStatementCounter(() => statements++)
    client.on('data', count)
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.port = String(port)
  return {
    url: url.href,
    get statements() {
      return statements
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Reads the frontend's messages (PostgreSQL, chapter 55): after the first, a type and a length that counts itself. */
function createStatementCounter(onStatement: () => void): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0)
  let started = false
  return (chunk) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      const header = started ? 1 : 0
      if (pending.length < header + 4) return
      const length = header + pending.readInt32BE(header)
      if (pending.length < length) return
      if (started && 'EQ'.includes(String.fromCharCode(pending.readUInt8(0)))) onStatement()
      started = true
      pending = pending.subarray(length)
    }
  }
}
