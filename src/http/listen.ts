import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as nextRound, setTimeout as pause } from 'node:timers/promises'

/** Long enough for every exchange in flight (8 s), and no connection holds up a restart for longer. */
const DRAIN_MS = 10_000
/** A connection that is kept alive is idle, and to be closed, only once its last answer has left. */
const SWEEP_MS = 50
/** Under load there may be no such round; then some are reset. */
const NONE_WAITS_MS = 200

export type Listening = {
  readonly url: string
  /**
   * Goes on accepting for `lameDuckMs`, then stops, answers what was accepted, and closes what is left ten seconds
   * after it began.
   */
  drain(lameDuckMs?: number): Promise<void>
}

/** Where to listen, and the setting that says on which port. */
export type ListenAt = {
  readonly host: string
  readonly port: number
  readonly setting: 'PORT' | 'METRICS_PORT'
}

/** Makes a server listen. Throws, with a sentence for the operator, where the address is taken or not ours. */
export function listen(server: Server, at: ListenAt): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(listenFault(error, at))
    server.once('error', refuse)
    server.listen(at.port, at.host, () => {
      server.off('error', refuse)
      const { address, port, family } = server.address() as AddressInfo
      const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
      resolve({ url, drain: (lameDuckMs = 0) => drain(server, sockets, lameDuckMs) })
    })
  })
}

function listenFault(error: NodeJS.ErrnoException, { host, port, setting }: ListenAt): Error {
  if (error.code === 'EADDRINUSE')
    return new Error(`${setting} ${port} of ${host} is in use: set ${setting}, or end what uses it.`)
  if (error.code === 'EACCES')
    return new Error(`${setting} ${port} is not for this user: set ${setting} to 1024 or more.`)
  if (error.code === 'EADDRNOTAVAIL') return new Error(`HOST ${host} is no address of this machine.`)
  return error
}

async function drain(server: Server, sockets: ReadonlySet<Socket>, lameDuckMs: number): Promise<void> {
  const end = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  // An idle connection that is closed may have a request on its way: let its sender hear `Connection: close` first.
  if (lameDuckMs > 0) {
    await pause(lameDuckMs)
    await untilNoneWaits(server)
  }
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const sweep = setInterval(() => closeIdle(server, sockets), SWEEP_MS)
  await closed
  clearInterval(sweep)
  clearTimeout(end)
}

/** What the system has accepted for us is reset when listening ends: waits for a round that brings no connection. */
async function untilNoneWaits(server: Server): Promise<void> {
  const until = performance.now() + NONE_WAITS_MS
  let came = true
  const note = () => {
    came = true
  }
  server.on('connection', note)
  while (came && performance.now() < until) {
    came = false
    await nextRound()
  }
  server.off('connection', note)
}

function closeIdle(server: Server, sockets: ReadonlySet<Socket>): void {
  server.closeIdleConnections()
  // Where nothing was ever sent, Node waits for a request's headers instead of calling the connection idle.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
}
