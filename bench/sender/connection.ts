import { once } from 'node:events'
import { connect } from 'node:net'

/** A kept-alive HTTP connection that carries one request at a time. */
export type Connection = {
  /** Sends a request as it is written; resolves with the answer's status, or 0 where the connection broke. */
  send(request: string): Promise<number>
  /** Whether it may be sent on: a server closes what was idle for its while, and may be about to. */
  isFresh(): boolean
  close(): void
}

/** Less than the 5 s after which Node's server closes an idle connection. */
const FRESH_MS = 4_000

/**
 * Opens a connection of the sender's own making: an HTTP client that does all that HTTP may ask for would compete for
 * the processors with the server that it shares them with.
 */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding('latin1')
  await once(socket, 'connect')
  let received = ''
  let lastUsedAt = performance.now()
  let answered: ((status: number) => void) | undefined
  const settle = (status: number) => {
    received = ''
    lastUsedAt = performance.now()
    answered?.(status)
    answered = undefined
  }
  socket.on('data', (text: string) => {
    received += text
    if (isWhole(received)) settle(Number(received.slice(9, 12)))
  })
  socket.on('error', () => undefined)
  socket.on('close', () => settle(0))
  return {
    send(request) {
      if (socket.destroyed) return Promise.resolve(0)
      return new Promise((resolve) => {
        answered = resolve
        socket.write(request)
      })
    },
    isFresh: () => !socket.destroyed && performance.now() - lastUsedAt < FRESH_MS,
    close: () => socket.destroy(),
  }
}

/** Whether this is an answer to its end. In Latin-1 a character is a byte. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const head = text.slice(0, headEnd).toLowerCase()
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1]
  if (length !== undefined) return text.length >= headEnd + 4 + Number(length)
  return head.includes('\r\ntransfer-encoding: chunked') && text.endsWith('\r\n0\r\n\r\n')
}
