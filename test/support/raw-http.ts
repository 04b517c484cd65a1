import { connect } from 'node:net'
import { assertDescribed } from './described-answers.ts'

export type RawAnswer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends a request line, headers and body as they are given, for what no client library would send.
 * Adds `Connection: close`, a Content-Length where there is a body, and reads until the server hangs up.
 */
export async function sendRaw(
  url: string,
  requestLine: string,
  headers: readonly (readonly [name: string, value: string])[],
  body: string | Uint8Array = '',
): Promise<RawAnswer> {
  const bytes = Buffer.from(body)
  const all = [
    ...headers,
    ['Connection', 'close'],
    ...(bytes.length > 0 ? [['Content-Length', String(bytes.length)]] : []),
  ]
  const head = [requestLine, ...all.map(([name, value]) => `${name}: ${value}`)].join('\r\n')
  const answer = parseAnswer(
    await exchangeBytes(url, Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), bytes])),
  )
  const [method = '', target = ''] = requestLine.split(' ')
  await assertDescribed(method, target, answer)
  return answer
}

function exchangeBytes(url: string, request: Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname, () => socket.write(request))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
  })
}

function parseAnswer(answer: string): RawAnswer {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(
    lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(':')),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') }
}
