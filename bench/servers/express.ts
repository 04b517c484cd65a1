import { createServer } from 'node:http'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { TradeToken } from './trade-token.ts'

/** Express 5 as its guide has it: its JSON body parser, a route, `response.json`. */
export function createExpress(tradeToken: TradeToken) {
  const app = express()
  app.use(express.json())
  app.post('/v1/auth\\:exchangeToken', async (request: Request, response: Response) => {
    response.json(await tradeToken(request.body))
  })
  app.use((_error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    response.status(401).end()
  })
  return createServer(app)
}
