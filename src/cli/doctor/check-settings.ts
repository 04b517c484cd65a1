import { isIP } from 'node:net'
import { compilerFault } from '../../app/compiler-fault.ts'
import type { Config } from '../../config/env.ts'
import type { Log } from '../../log.ts'
import { createOpa } from '../../policy/opa.ts'
import { OPA_VERSION, opaBinary } from '../../policy/opa-binary.ts'
import { type Check, causeOf, type Seen } from './finding.ts'

/** What can be seen without the database. */
export function settingsChecks(config: Config, log: Log): readonly Check[] {
  return [
    { name: 'address', look: async () => checkAddress(config) },
    ...(config.databaseUrl === undefined ? [embeddedWarning(config)] : []),
    {
      name: 'compiler',
      async look() {
        const version = await createOpa({ binary: opaBinary(config.opaBin), log })
          .version()
          .catch((error: unknown) => compilerFault(error, config.opaBin))
        if (typeof version !== 'string') return ['problem', causeOf(version)]
        if (version === OPA_VERSION) return ['ok', `OPA ${version}.`]
        return [
          'warning',
          `OPA_BIN is OPA ${version}, and tested is ${OPA_VERSION}: policies get other digests. Unset OPA_BIN, or give it that version.`,
        ]
      },
    },
  ]
}

function embeddedWarning({ dataDir }: Config): Check {
  const message = `The embedded database in ${dataDir} has no fsync: a power cut may lose decisions. Set DATABASE_URL to a PostgreSQL for more than trying out.`
  return { name: 'durability', look: async () => ['warning', message] }
}

/** Whether others can reach it under its name, and whose address a decision records. */
function checkAddress({ host, publicUrl, trustProxy }: Config): Seen {
  const isHttps = publicUrl.startsWith('https:')
  if (!isLoopback(host) && !isHttps) {
    return [
      'problem',
      `HOST is ${host}, but PUBLIC_URL is ${publicUrl}: nobody else can fetch the keys of its tokens. Set PUBLIC_URL to the https URL by which others reach it.`,
    ]
  }
  if (isHttps && trustProxy === 0) {
    return [
      'warning',
      'PUBLIC_URL is https, so a proxy is in front, but TRUST_PROXY is 0: decisions record its address and not that of their callers. Set TRUST_PROXY to the number of proxies, or their addresses.',
    ]
  }
  if (isHttps && !isLoopback(host) && typeof trustProxy === 'number') {
    return [
      'ok',
      `${publicUrl}, behind ${trustProxy} ${trustProxy === 1 ? 'proxy' : 'proxies'}; nobody but they may reach ${host}.`,
    ]
  }
  return ['ok', isHttps ? `${publicUrl}, behind its proxy.` : `${publicUrl}, for this machine alone.`]
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
