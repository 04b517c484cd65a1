/** Milliseconds since the Unix epoch. Handed in everywhere, so that a decision never reads the real clock. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()
