import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { createDatabase, DATABASES } from '../support/world.ts'

const CONNECTIONS = 24

type Sender = { answered: number; readonly ended: Promise<void> }

/** Sends one request after the other on one connection, until an answer says that it is the connection's last. */
function startSender(url: string): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sender = { answered: 0, ended: sendUntilTold() }
  return sender

  async function sendUntilTold(): Promise<void> {
    for (;;) {
      const response = await ask(`${url}/healthz`, agent)
      sender.answered++
      if (response.headers.connection === 'close') return agent.destroy()
    }
  }
}

async function ask(url: string, agent: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response
}

for (const workers of ['1', '2']) {
  for (const kind of DATABASES.filter((kind) => kind === 'postgresql' || workers === '1')) {
    describe(`SIGTERM with WORKERS=${workers}, on ${kind}`, () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-shutdown-'))
      let database: Awaited<ReturnType<typeof createDatabase>> | undefined
      let service: ServiceProcess

      before(async () => {
        database = kind === 'postgresql' ? await createDatabase() : undefined
        service = await startServiceProcess({
          PORT: '0',
          PUBLIC_URL: 'https://claimgate.example.com',
          DATA_DIR: dataDir,
          WORKERS: workers,
          ...(database && {
            DATABASE_URL: database.url,
            ADMIN_TOKEN: randomBytes(24).toString('hex'),
            KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
          }),
        })
      })
      after(async () => {
        await service?.stop('SIGKILL')
        await database?.drop()
        rmSync(dataDir, { recursive: true, force: true })
      })

      test('breaks no request on a connection that is kept alive, and lets new ones hear that it ends', async () => {
        const senders = Array.from({ length: CONNECTIONS }, () => startSender(service.url))
        const ended = Promise.all(senders.map((sender) => sender.ended))
        const fresh = new Agent({ keepAlive: false })
        while (senders.some(({ answered }) => answered < 10)) await ask(`${service.url}/healthz`, fresh)

        const begin = performance.now()
        const stopped = service.stop('SIGTERM')
        let readiness: IncomingMessage
        do readiness = await ask(`${service.url}/readyz`, fresh)
        while (readiness.statusCode === 200)
        await ended

        assert.equal(readiness.statusCode, 503)
        assert.equal(readiness.headers.connection, 'close')
        assert.equal(await stopped, 0)
        assert.ok(performance.now() - begin < 8_000)
      })
    })
  }
}
