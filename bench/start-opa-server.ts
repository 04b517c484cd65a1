import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { opaBinary } from '../src/policy/opa-binary.ts'
import { freePort } from '../test/support/postgres.ts'
import { type ServerProcess, startProcess } from './start-process.ts'
import type { Service } from './start-service.ts'

/** Starts OPA's own server on the policy of an identity, as the service hands its sources out. */
export async function startOpaServer(
  service: Service,
  email: string,
  directory: string,
): Promise<ServerProcess> {
  const { modules } = await service.admin('GET', `/v1/workloadIdentities/${encodeURIComponent(email)}/policy`)
  const policyDir = join(directory, 'policy')
  for (const { path, source } of modules as readonly { path: string; source: string }[]) {
    const file = join(policyDir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, source)
  }
  const address = `127.0.0.1:${await freePort()}`
  return startProcess({
    command: opaBinary(process.env.OPA_BIN),
    args: ['run', '--server', '--addr', address, '--log-level', 'error', '--skip-version-check', policyDir],
    url: `http://${address}`,
    readyPath: '/health',
    logFile: join(directory, 'opa.log'),
  })
}
