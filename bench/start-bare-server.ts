import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { freePort } from '../test/support/postgres.ts'
import { type ServerProcess, startProcess } from './start-process.ts'

/** Starts a server that verifies and signs as the service does, and does nothing else. */
export async function startBareServer(
  kind: 'http' | 'express',
  options: { directory: string; issuer: { issuerUrl: string; publicJwk: JWK } },
): Promise<ServerProcess> {
  const port = await freePort()
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const settings = { ...options.issuer, signingJwk: await exportJWK(privateKey) }
  return startProcess({
    command: process.execPath,
    args: [join(import.meta.dirname, 'servers/main.ts'), kind, String(port), JSON.stringify(settings)],
    url: `http://127.0.0.1:${port}`,
    readyPath: '/',
    logFile: join(options.directory, `${kind}.log`),
  })
}
