import { setTimeout } from 'node:timers/promises'

/** Longer than a policy takes that is not loaded yet, and nothing beside a job's start. */
const STEP_MS = 25

/**
 * Waits until a whole number of steps has passed since `arrivedAt` (of `performance.now()`), so that the time of an
 * answer does not tell what was done for it: whether a policy had to be loaded, or how many rules it has.
 */
export async function evenOut(arrivedAt: number): Promise<void> {
  const sinceStep = (performance.now() - arrivedAt) % STEP_MS
  await setTimeout(STEP_MS - sinceStep)
}
