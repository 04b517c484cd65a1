import type { ParseArgsOptionsConfig } from 'node:util'
import type { ClientConfig, Config } from '../config/env.ts'
import type { Log } from '../log.ts'

/** As the contract has it for every command: done, it found something, it could not run. */
export const DONE = 0
export const FOUND_SOMETHING = 1
export const COULD_NOT_RUN = 2

export type Flags = Readonly<Record<string, string | boolean | undefined>>

/** What a command of the service runs with. Its log goes to standard error where its own output is its result. */
export type CommandContext = { readonly config: Config; readonly log: Log; readonly flags: Flags }

/** What a command runs with that works with files, and with a service only over its API. */
export type ClientContext = {
  readonly config: ClientConfig
  readonly flags: Flags
  /** As many as it has `operands`; of those in brackets, maybe none. */
  readonly operands: readonly string[]
}

/** One function of the command line. */
type CommandOf<Context> = {
  /** The flags as people read them, and what it does, in a line each of the usage. */
  readonly usage: string
  readonly does: string
  /** Its flags and what each is for, where there are too many for that line. */
  readonly options?: readonly (readonly [flag: string, meaning: string])[]
  readonly flags: ParseArgsOptionsConfig
  readonly logsToStdout?: true
  /** Returns the exit code; what it throws is told in a sentence, and the exit code is COULD_NOT_RUN. */
  readonly run: (context: Context) => Promise<number>
}

export type ServiceCommand = CommandOf<CommandContext>
export type ClientCommand = CommandOf<ClientContext> & {
  /** What has to be given beside the flags, as people read it. */
  readonly operands: readonly string[]
}
export type Command = ServiceCommand | ClientCommand
