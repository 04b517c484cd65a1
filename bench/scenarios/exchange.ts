import type { Pace } from '../sender/load.ts'
import { startBareServers, startExchangeServices } from './contestants.ts'
import { FULL, halfLoads, runRounds, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const CLOSED: readonly Pace[] = [{ kind: 'closed', inFlight: 1 }, { kind: 'closed', inFlight: 16 }, FULL]

/** Exchanges with their committed decisions, beside servers that only verify and sign. */
export async function measureExchange(bench: Bench): Promise<Findings> {
  const services = await startExchangeServices(bench)
  const contestants = [...services, ...(await startBareServers(bench))]
  await warmUp(bench, contestants)
  const closed = await runRounds(
    bench,
    CLOSED.flatMap((pace) => contestants.map((contestant) => ({ contestant, pace }))),
  )
  const half = await runRounds(bench, halfLoads(contestants, closed))

  const full = closed.slice(-contestants.length)
  const express = full.at(-1)?.perSecond ?? Number.NaN
  const figures = services.flatMap(({ name }, index) => [
    {
      name: `${name}: throughput at 64 in flight, of the Express server's`,
      value: (full[index]?.perSecond ?? Number.NaN) / express,
      unit: '',
      aim: 'at least 0.5; 0.65 is the aim',
    },
    {
      name: `${name}: p99 at 64 in flight`,
      value: full[index]?.p99Ms ?? Number.NaN,
      unit: 'ms',
      aim: 'below 50',
    },
    {
      name: `${name}: p99 at half load`,
      value: half[index]?.p99Ms ?? Number.NaN,
      unit: 'ms',
      aim: 'below 15',
    },
  ])
  return { measurements: [...closed, ...half], figures }
}
