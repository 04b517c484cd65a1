import { slope } from '../statistics.ts'
import { exchangeContestant } from './contestants.ts'
import { measureOnce } from './measure.ts'
import { FULL, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

const SOAK_SECONDS = 600
const LOOKS = 120

/** Half load for ten minutes: whether anything grows that should not. */
export async function measureSoak(bench: Bench): Promise<Findings> {
  const service = await bench.startService()
  const contestant = exchangeContestant(bench, service, [await service.createIdentity('deploy')])
  await warmUp(bench, [contestant])
  const { perSecond } = await measureOnce(bench.sender, contestant, FULL, bench.seconds)
  const seconds = bench.quick ? 10 : SOAK_SECONDS
  const pace = { kind: 'open', perSecond: perSecond / 2 } as const
  bench.say(`signing tokens for ${seconds} s at ${Math.round(pace.perSecond)}/s`)
  await bench.sender.prepare({ ...contestant, pace, seconds })

  const samples: { minute: number; residentMb: number; descriptors: number }[] = []
  const startedAt = performance.now()
  const look = setInterval(
    () => {
      const { residentMb, descriptors } = service.usage()
      samples.push({ minute: (performance.now() - startedAt) / 60_000, residentMb, descriptors })
    },
    (seconds * 1000) / LOOKS,
  )
  const measured = await measureOnce(bench.sender, contestant, pace, seconds).finally(() =>
    clearInterval(look),
  )

  const later = samples.slice(-Math.ceil(samples.length / 2))
  const growthOf = (name: 'residentMb' | 'descriptors') =>
    slope(later.map((sample) => ({ x: sample.minute, y: sample[name] })))
  return {
    measurements: [measured],
    figures: [
      {
        name: 'growth of resident memory, second half',
        value: growthOf('residentMb'),
        unit: 'MB a minute',
        aim: 'below 1',
      },
      {
        name: 'growth of descriptors, second half',
        value: growthOf('descriptors'),
        unit: 'a minute',
        aim: '0',
      },
      { name: 'resident memory at the end', value: later.at(-1)?.residentMb ?? Number.NaN, unit: 'MB' },
    ],
  }
}
