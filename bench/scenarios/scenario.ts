import type { Cluster } from '../../test/support/postgres.ts'
import type { Sender } from '../sender/start-sender.ts'
import type { Service } from '../start-service.ts'
import type { Measurement } from './measure.ts'

/** What a scenario works with. */
export type Bench = {
  /** Seconds of each load, and how often each comes round. */
  readonly seconds: number
  readonly rounds: number
  readonly quick: boolean
  readonly sender: Sender
  readonly cluster: Cluster
  /** For what its servers write. */
  readonly directory: string
  /** Another checkout, to be measured beside this one. */
  readonly against: string | undefined
  /** Starts the service; it is stopped when the scenario ends. Of this checkout unless another is named. */
  startService(name?: string, checkout?: string): Promise<Service>
  /** Has something stopped when the scenario ends. */
  stopAtEnd(server: { stop(): Promise<void> | void }): void
  /** Tells whoever waits what is going on. */
  say(text: string): void
}

/** One number that the project holds itself to, or one that explains another. */
export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly aim?: string
}

export type Findings = { readonly measurements: readonly Measurement[]; readonly figures: readonly Figure[] }

export type Scenario = (bench: Bench) => Promise<Findings>
