export type OneAtATime = <Result>(key: string, work: () => Promise<Result>) => Promise<Result>

/**
 * Does what is to be done on one thing in the order in which it was asked for, and on different things side by side:
 * many changes of one row would otherwise wait for its lock, each with a connection that an exchange needs.
 */
export function createOneAtATime(): OneAtATime {
  const last = new Map<string, Promise<unknown>>()
  return (key, work) => {
    const result = (last.get(key) ?? Promise.resolve()).then(work)
    const settled = result.catch(() => undefined)
    last.set(key, settled)
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key)
    })
    return result
  }
}
