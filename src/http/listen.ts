import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** Long enough for every exchange in flight (8 s), and no connection holds up a restart for longer. */
const DRAIN_MS = 10_000
/** A connection that is kept alive is idle, and to be closed, only once its last answer has left. */
const SWEEP_MS = 50

export type Listening = {
  readonly url: string
  /** Stops accepting, answers what was accepted, and closes what is left after ten seconds. */
  drain(): Promise<void>
}

/** Makes a server listen. Throws where the address is taken or not ours. */
export function listen(server: Server, at: { host: string; port: number }): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.off('error', reject)
      const { address, port, family } = server.address() as AddressInfo
      const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
      resolve({ url, drain: () => drain(server, sockets) })
    })
  })
}

async function drain(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  const end = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  server.closeIdleConnections()
  // Where nothing was ever sent, Node waits for a request's headers instead of calling the connection idle.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  await closed
  clearInterval(sweep)
  clearTimeout(end)
}
