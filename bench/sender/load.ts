/** What the sender sends, how fast, and for how long. */
export type Load = {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly path: string
  readonly requests: RequestSource
  readonly pace: Pace
  readonly seconds: number
}

export type RequestSource =
  /** Exchanges for one of these identities each, at random; no token twice under one `series`. */
  | { readonly kind: 'exchange'; readonly emails: readonly string[]; readonly series: string }
  /** Exchanges whose signature is wrong, each from another of as many addresses. */
  | { readonly kind: 'forged'; readonly email: string; readonly addresses: number }
  /** Questions about one of these access tokens each, at random. */
  | { readonly kind: 'introspection'; readonly tokens: readonly string[]; readonly adminToken: string }
  /** Whether one of these access tokens may do this in one of the projects `p-1`, `p-2`, …, each at random. */
  | {
      readonly kind: 'access'
      readonly tokens: readonly string[]
      readonly adminToken: string
      readonly projects: number
      readonly permission: string
    }
  /** Questions to OPA's server, each about another job. */
  | { readonly kind: 'evaluation'; readonly email: string }

export type Pace =
  /** So many requests in flight, the next one when one is answered. */
  | { readonly kind: 'closed'; readonly inFlight: number }
  /** So many a second whatever is answered; a latency counts from when its request was to be sent. */
  | { readonly kind: 'open'; readonly perSecond: number }

export type LoadResult = {
  readonly seconds: number
  readonly latenciesMs: Float64Array
  /** How many answers had which status; 0 for a connection that broke. */
  readonly statuses: Readonly<Record<number, number>>
  /** Of one processor, what the sender itself took. */
  readonly senderProcessorMs: number
}

/** What the sender's process is told. */
export type SenderCommand =
  | { readonly kind: 'sign'; readonly series: string; readonly tokens: number }
  | { readonly kind: 'run'; readonly load: Load }

/** What it answers: its key once it is there, then one message for each command. */
export type SenderAnswer =
  | {
      readonly kind: 'ready'
      readonly issuerUrl: string
      readonly publicJwk: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'signed' }
  | { readonly kind: 'done'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly message: string }
