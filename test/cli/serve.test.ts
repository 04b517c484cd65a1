import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { listen } from '../../src/http/listen.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { createDatabase, DATABASES } from '../support/world.ts'

describe('what keeps the service from starting is told by the setting that mends it', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-serve-'))
  const taken = createTcpServer()
  let port: number
  before(async () => {
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    port = (taken.address() as AddressInfo).port
  })
  after(() => {
    taken.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  test('a port in use, with exit code 2', async () => {
    const used = join(dataDir, 'used')
    copyEmbeddedTemplate(used)

    await assert.rejects(startServiceProcess({ DATA_DIR: used, PORT: String(port) }), (error: Error) => {
      assert.match(error.message, /^It ended with 2: /)
      const told = `PORT ${port} of 127.0.0.1 is in use: set PORT, or end what uses it.`
      assert.ok(error.message.split('\n').includes(told), error.message)
      return true
    })
  })

  test('the port of the metrics in use', async () => {
    const listening = listen(createServer(), { host: '127.0.0.1', port, setting: 'METRICS_PORT' })

    await assert.rejects(listening, { message: new RegExp(`^METRICS_PORT ${port} .* set METRICS_PORT,`) })
  })

  test('a host that is not this machine', async () => {
    const listening = listen(createServer(), { host: '192.0.2.1', port: 0, setting: 'PORT' })

    await assert.rejects(listening, { message: 'HOST 192.0.2.1 is no address of this machine.' })
  })

  test('an OPA_BIN that names no compiler, with exit code 2', async () => {
    await assert.rejects(
      startServiceProcess({ DATA_DIR: join(dataDir, 'none'), OPA_BIN: '/nope' }),
      /It ended with 2: .*OPA_BIN is \/nope, which does not work as a compiler.*ENOENT/s,
    )
  })
})

test('with WORKERS each warning is said once', {
  skip: !DATABASES.includes('postgresql' as never),
}, async () => {
  const database = await createDatabase()
  try {
    const service = await startServiceProcess({
      PORT: '0',
      PUBLIC_URL: 'https://claimgate.example.com',
      DATABASE_URL: database.url,
      ADMIN_TOKEN: randomBytes(24).toString('hex'),
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      WORKERS: '2',
      TRUST_PROXI: '1',
    })
    await service.stop()

    const warnings = service.lines.filter((line) => line.includes('"level":"warn"'))
    assert.equal(warnings.filter((line) => line.includes('TRUST_PROXI')).length, 1)
    assert.equal(warnings.filter((line) => line.includes('could change recorded decisions')).length, 1)
  } finally {
    await database.drop()
  }
})
