import type { ProcessUsage } from '../process-usage.ts'
import type { Pace, RequestSource } from '../sender/load.ts'
import type { Sender } from '../sender/start-sender.ts'
import { median, percentile } from '../statistics.ts'

/** A server that a load is sent to, beside others. */
export type Contestant = {
  readonly name: string
  readonly url: string
  readonly path: string
  readonly requests: RequestSource
  readonly usage: () => ProcessUsage
  /** The processor time of its database, where it has one. */
  readonly databaseProcessorMs?: () => number
}

/** One contestant under one load: the medians over the rounds. */
export type Measurement = {
  readonly contestant: string
  readonly load: string
  readonly perSecond: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** What one request takes of a processor, in all threads. */
  readonly processorUs: number
  /** Of that, in the first thread. */
  readonly mainThreadUs: number
  readonly databaseUs: number
  readonly senderUs: number
  readonly residentMb: number
  /** Answers other than 200. */
  readonly errors: number
}

/** Sends one load to one contestant. */
export async function measureOnce(
  sender: Sender,
  contestant: Contestant,
  pace: Pace,
  seconds: number,
): Promise<Measurement> {
  const { url, path, requests } = contestant
  const before = used(contestant)
  const result = await sender.send({ url, path, requests, pace, seconds })
  const after = used(contestant)
  const answers = result.latenciesMs.length
  return {
    contestant: contestant.name,
    load: describePace(pace),
    perSecond: answers / result.seconds,
    p50Ms: percentile(result.latenciesMs, 0.5),
    p90Ms: percentile(result.latenciesMs, 0.9),
    p99Ms: percentile(result.latenciesMs, 0.99),
    maxMs: percentile(result.latenciesMs, 1),
    processorUs: ((after.processorMs - before.processorMs) * 1000) / answers,
    mainThreadUs: ((after.mainThreadMs - before.mainThreadMs) * 1000) / answers,
    databaseUs: ((after.databaseMs - before.databaseMs) * 1000) / answers,
    senderUs: (result.senderProcessorMs * 1000) / answers,
    residentMb: contestant.usage().residentMb,
    errors: answers - (result.statuses[200] ?? 0),
  }
}

/** Takes the rounds of one contestant under one load together, each figure by its median; errors add up. */
export function mediansOf(rounds: readonly Measurement[]): Measurement {
  const [first] = rounds
  if (first === undefined) throw new Error('Nothing was measured.')
  const figures = Object.entries(first).filter(([, value]) => typeof value === 'number')
  const of = (name: string) => rounds.map((round) => Number(round[name as keyof Measurement]))
  return {
    ...first,
    ...Object.fromEntries(figures.map(([name]) => [name, median(of(name))])),
    errors: of('errors').reduce((sum, errors) => sum + errors, 0),
  }
}

export function describePace(pace: Pace): string {
  return pace.kind === 'closed' ? `${pace.inFlight} in flight` : `${Math.round(pace.perSecond)}/s`
}

function used({ usage, databaseProcessorMs }: Contestant) {
  const { processorMs, mainThreadMs } = usage()
  return { processorMs, mainThreadMs, databaseMs: databaseProcessorMs?.() ?? Number.NaN }
}
