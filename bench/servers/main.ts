import { createBareHttp } from './bare-http.ts'
import { createExpress } from './express.ts'
import { createTradeToken } from './trade-token.ts'

/** `node main.ts http|express PORT SETTINGS`: one of the servers that the service is measured beside. */
const [kind, port, settings] = process.argv.slice(2)
const tradeToken = await createTradeToken(JSON.parse(settings ?? ''))
const server = kind === 'express' ? createExpress(tradeToken) : createBareHttp(tradeToken)
server.listen(Number(port), '127.0.0.1')
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
