import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processorMsOfTree } from '../process-usage.ts'
import { startBareServer } from '../start-bare-server.ts'
import type { Service } from '../start-service.ts'
import type { Contestant } from './measure.ts'
import type { Bench } from './scenario.ts'

export const EXCHANGE = '/v1/auth:exchangeToken'

/** The service as one that exchanges tokens for these identities. */
export function exchangeContestant(bench: Bench, service: Service, emails: readonly string[]): Contestant {
  const [postmaster] = readFileSync(join(bench.cluster.dataDir, 'postmaster.pid'), 'utf8').split('\n')
  return {
    name: service.name,
    url: service.url,
    path: EXCHANGE,
    requests: { kind: 'exchange', emails, series: service.name },
    usage: service.usage,
    databaseProcessorMs: () => processorMsOfTree(Number(postmaster)),
  }
}

/** This checkout's service with one identity, and the other's where one is named. */
export async function startExchangeServices(bench: Bench): Promise<readonly Contestant[]> {
  const services = [await bench.startService()]
  if (bench.against !== undefined) services.push(await bench.startService('claimgate (other)', bench.against))
  return Promise.all(
    services.map(async (service) =>
      exchangeContestant(bench, service, [await service.createIdentity('deploy')]),
    ),
  )
}

/** The servers that do no more than verify and sign. */
export async function startBareServers(bench: Bench): Promise<readonly Contestant[]> {
  const contestants: Contestant[] = []
  for (const [kind, name] of [
    ['http', 'node:http + jose'],
    ['express', 'Express 5 + jose'],
  ] as const) {
    const server = await startBareServer(kind, { directory: bench.directory, issuer: bench.sender })
    bench.stopAtEnd(server)
    contestants.push({
      name,
      url: server.url,
      path: EXCHANGE,
      // They know no "once", so each may begin with the first token again.
      requests: { kind: 'exchange', emails: ['deploy@workload.claimgate.internal'], series: name },
      usage: server.usage,
    })
  }
  return contestants
}
