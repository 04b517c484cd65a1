import type { Pace } from '../sender/load.ts'
import { type Contestant, type Measurement, measureOnce, mediansOf } from './measure.ts'
import type { Bench } from './scenario.ts'

export type Heat = { readonly contestant: Contestant; readonly pace: Pace }

/** The load under which throughputs are compared. */
export const FULL: Pace = { kind: 'closed', inFlight: 64 }

/** Code that has not run often is slow, and caches are empty. */
export async function warmUp(bench: Bench, contestants: readonly Contestant[]): Promise<void> {
  for (const contestant of contestants) {
    await measureOnce(bench.sender, contestant, FULL, bench.quick ? 1 : 4)
  }
}

/**
 * Measures each heat once a round and takes the medians, so that a machine that grows slower or faster meanwhile
 * does so for all of them alike.
 */
export async function runRounds(bench: Bench, heats: readonly Heat[]): Promise<readonly Measurement[]> {
  const measured = heats.map((): Measurement[] => [])
  for (let round = 1; round <= bench.rounds; round++) {
    for (const [index, { contestant, pace }] of heats.entries()) {
      const measurement = await measureOnce(bench.sender, contestant, pace, bench.seconds)
      measured[index]?.push(measurement)
      bench.say(
        `round ${round}: ${contestant.name}, ${measurement.load}: ${Math.round(measurement.perSecond)}/s, ` +
          `p99 ${measurement.p99Ms.toFixed(1)} ms`,
      )
    }
  }
  return measured.map(mediansOf)
}

/** Half of the most that each contestant answered. */
export function halfLoads(
  contestants: readonly Contestant[],
  measurements: readonly Measurement[],
  share = 0.5,
): readonly Heat[] {
  return contestants.map((contestant) => ({
    contestant,
    pace: { kind: 'open', perSecond: mostPerSecond(measurements, contestant.name) * share },
  }))
}

export function mostPerSecond(measurements: readonly Measurement[], contestant: string): number {
  return Math.max(
    ...measurements.filter((each) => each.contestant === contestant).map(({ perSecond }) => perSecond),
  )
}
