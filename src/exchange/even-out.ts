import { setTimeout } from 'node:timers/promises'

/** Longer than a policy takes that is not loaded yet, on a busy machine too, and nothing beside a job's start. */
const STEP_MS = 100

/**
 * Waits until a whole number of steps has passed since `arrivedAt` (of `performance.now()`), so that the time of an
 * answer does not tell what was done for it: whether a policy had to be loaded, or how many rules it has.
 */
export async function evenOut(arrivedAt: number): Promise<void> {
  const steps = Math.floor((performance.now() - arrivedAt) / STEP_MS) + 1
  const leavesAt = arrivedAt + steps * STEP_MS
  // Timers count from when the event loop last looked at the clock, so one may end early.
  for (let left = leavesAt - performance.now(); left > 0; left = leavesAt - performance.now()) {
    await setTimeout(Math.ceil(left))
  }
}
