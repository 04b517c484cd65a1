import { exchangeContestant } from './contestants.ts'
import { type Measurement, measureOnce, mediansOf } from './measure.ts'
import { FULL, warmUp } from './rounds.ts'
import type { Bench, Findings, Scenario } from './scenario.ts'

/** How decisions are stored in bulk, and how long reading a page of them takes in the database. */
export type HistoryParts = {
  readonly fillDecisions: (url: string, rows: number) => Promise<void>
  readonly measurePages: (url: string) => Promise<readonly PageTime[]>
}

type PageTime = { readonly query: string; readonly pageSize: number; readonly worstMs: number }

/** Makes the scenario that looks at what many stored decisions cost: exchanges, and reading pages of them. */
export function historyScenario({ fillDecisions, measurePages }: HistoryParts): Scenario {
  return async (bench: Bench): Promise<Findings> => {
    const rows = bench.quick ? 10_000 : 5_000_000
    const [empty, filled] = [await bench.startService('empty'), await bench.startService(`${rows} decisions`)]
    bench.say(`storing ${rows} decisions`)
    await fillDecisions(filled.databaseUrl, rows)
    bench.say('stored; measuring')
    const contestants = await Promise.all(
      [empty, filled].map(async (service) =>
        exchangeContestant(bench, service, [await service.createIdentity('deploy')]),
      ),
    )
    await warmUp(bench, contestants)
    const most = await Promise.all(
      contestants.slice(0, 1).map((one) => measureOnce(bench.sender, one, FULL, bench.seconds)),
    )
    const pace = { kind: 'open', perSecond: (most[0]?.perSecond ?? 0) / 2 } as const
    const measured = contestants.map((): Measurement[] => [])
    for (let round = 1; round <= bench.rounds; round++) {
      for (const [index, contestant] of contestants.entries()) {
        measured[index]?.push(await measureOnce(bench.sender, contestant, pace, bench.seconds))
      }
    }
    const measurements = measured.map(mediansOf)
    const [before, after] = measurements
    const pages = await measurePages(filled.databaseUrl)
    return {
      measurements,
      figures: [
        {
          name: `p99 at half load with ${rows} decisions, of that without`,
          value: (after?.p99Ms ?? Number.NaN) / (before?.p99Ms ?? Number.NaN),
          unit: '',
          aim: 'at most 1.2',
        },
        ...pages.map(({ query, pageSize, worstMs }) => ({
          name: `a page of ${pageSize}: ${query}`,
          value: worstMs,
          unit: 'ms',
          aim: 'below 50',
        })),
      ],
    }
  }
}
