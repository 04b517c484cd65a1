/** What is under way, each known by a number that is never given twice. */
export type Tickets<Value> = {
  readonly size: number
  add(value: Value): number
  get(ticket: number): Value | undefined
  /** Takes it out; undefined where it was taken before. */
  take(ticket: number): Value | undefined
  clear(): void
}

type Place<Value> = { readonly ticket: number; readonly value: Value } | undefined

/** Of a ticket's 53 bits these say the place; the rest counts 8,000 million tickets. */
const MAX_PLACES = 2 ** 20

/**
 * Keeps them in places that are used again. A `Map` in which entries come and go is rebuilt every few of them, and each
 * table that it leaves points to the next: once one has grown old, the later ones stay behind it, with all that their
 * entries held, until V8 next collects all its garbage (measured: all that an exchange had made).
 */
export function createTickets<Value>(): Tickets<Value> {
  const places: Place<Value>[] = []
  const free: number[] = []
  let last = 0

  function find(ticket: number): Place<Value> {
    const found = places[ticket % MAX_PLACES]
    return found?.ticket === ticket ? found : undefined
  }

  return {
    get size() {
      return places.length - free.length
    },
    add(value) {
      const place = free.pop() ?? places.length
      const ticket = ++last * MAX_PLACES + place
      places[place] = { ticket, value }
      return ticket
    },
    get: (ticket) => find(ticket)?.value,
    take(ticket) {
      const found = find(ticket)
      if (found === undefined) return undefined
      const place = ticket % MAX_PLACES
      places[place] = undefined
      free.push(place)
      return found.value
    },
    clear() {
      places.length = 0
      free.length = 0
    },
  }
}
