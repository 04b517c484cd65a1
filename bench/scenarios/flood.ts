import { startSender } from '../sender/start-sender.ts'
import { EXCHANGE, exchangeContestant } from './contestants.ts'
import { type Contestant, type Measurement, measureOnce, mediansOf } from './measure.ts'
import { FULL, warmUp } from './rounds.ts'
import type { Bench, Findings } from './scenario.ts'

/** Tokens that do not verify, from so many addresses; at half of what the service does at most. */
const ADDRESSES = 20_000
const FLOOD_SHARE = 0.5
const GOOD_SHARE = 0.25

/** Good exchanges while somebody sends tokens with wrong signatures, beside the same without the flood. */
export async function measureFlood(bench: Bench): Promise<Findings> {
  const service = await bench.startService()
  const email = await service.createIdentity('deploy')
  const good = exchangeContestant(bench, service, [email])
  const flood: Contestant = {
    ...good,
    name: 'forged tokens',
    path: EXCHANGE,
    requests: { kind: 'forged', email, addresses: ADDRESSES },
  }
  const flooder = await startSender()
  bench.stopAtEnd(flooder)
  await warmUp(bench, [good])
  const { perSecond } = await measureOnce(bench.sender, good, FULL, bench.seconds)
  const pace = { kind: 'open', perSecond: perSecond * GOOD_SHARE } as const
  const floodPace = { kind: 'open', perSecond: perSecond * FLOOD_SHARE } as const

  const rounds = { calm: [] as Measurement[], flooded: [] as Measurement[], flood: [] as Measurement[] }
  for (let round = 1; round <= bench.rounds; round++) {
    rounds.calm.push(await measureOnce(bench.sender, good, pace, bench.seconds))
    const flooding = measureOnce(flooder, flood, floodPace, bench.seconds + 1)
    rounds.flooded.push(await measureOnce(bench.sender, good, pace, bench.seconds))
    rounds.flood.push(await flooding)
    bench.say(`round ${round}: with and without a flood`)
  }
  const calm = { ...mediansOf(rounds.calm), contestant: 'good tokens, no flood' }
  const flooded = { ...mediansOf(rounds.flooded), contestant: 'good tokens, flooded' }
  return {
    measurements: [calm, flooded, mediansOf(rounds.flood)],
    figures: [
      {
        name: 'p99 of good exchanges under the flood, of that without',
        value: flooded.p99Ms / calm.p99Ms,
        unit: '',
      },
      { name: 'good exchanges that were refused or failed', value: flooded.errors, unit: '', aim: '0' },
    ],
  }
}
