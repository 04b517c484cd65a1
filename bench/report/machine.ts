import { availableParallelism, cpus, totalmem } from 'node:os'
import { runSql } from '../../test/support/world.ts'

export type Machine = Readonly<Record<'processor' | 'memory' | 'node' | 'postgresql', string>>

/** What the figures were measured on; without it they say nothing. */
export async function describeMachine(clusterUrl: string): Promise<Machine> {
  const [row] = await runSql(`${clusterUrl}/postgres`, 'show server_version')
  return {
    processor: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    node: process.version,
    postgresql: row.server_version,
  }
}
