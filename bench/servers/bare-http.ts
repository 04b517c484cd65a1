import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { TradeToken } from './trade-token.ts'

/** Node's own HTTP server with as little around the two signatures as works. */
export function createBareHttp(tradeToken: TradeToken) {
  const listener: RequestListener = async (request, response) => {
    try {
      const text = JSON.stringify(await tradeToken(JSON.parse(await readText(request))))
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
    } catch {
      response.writeHead(401, { 'content-length': 0 }).end()
    }
  }
  return createServer(listener)
}

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => {
      text += part
    })
    request.on('end', () => resolve(text))
    request.on('error', reject)
  })
}
