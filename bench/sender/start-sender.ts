import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Load, LoadResult, SenderAnswer, SenderCommand } from './load.ts'

/** The sender, in a process of its own. */
export type Sender = {
  /** Whose tokens it signs. */
  readonly issuerUrl: string
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** Signs what a load will need of tokens. */
  prepare(load: Load): Promise<void>
  /** Sends a load, prepared or not. */
  send(load: Load): Promise<LoadResult>
  stop(): void
}

/** More exchanges a second than any service here answers. */
const MOST_PER_SECOND: Readonly<Record<number, number>> = { 1: 2_500, 16: 8_000, 64: 9_000 }

export async function startSender(): Promise<Sender> {
  const child = fork(new URL('./sender-process.ts', import.meta.url), { serialization: 'advanced' })
  const answer = async () => {
    const [message] = (await once(child, 'message')) as [SenderAnswer]
    if (message.kind === 'failed') throw new Error(`The sender failed: ${message.message}`)
    return message
  }
  const ask = (command: SenderCommand) => {
    const answered = answer()
    child.send(command)
    return answered
  }
  const ready = await answer()
  if (ready.kind !== 'ready') throw new Error('The sender did not start.')
  const prepare = async (load: Load) => {
    if (load.requests.kind !== 'exchange') return
    await ask({ kind: 'sign', series: load.requests.series, tokens: tokensFor(load) })
  }
  return {
    issuerUrl: ready.issuerUrl,
    publicJwk: ready.publicJwk,
    prepare,
    async send(load) {
      await prepare(load)
      const done = await ask({ kind: 'run', load })
      if (done.kind !== 'done') throw new Error('The sender did not finish.')
      return done.result
    },
    stop: () => child.disconnect(),
  }
}

function tokensFor({ pace, seconds }: Load): number {
  const perSecond = pace.kind === 'open' ? pace.perSecond : (MOST_PER_SECOND[pace.inFlight] ?? 9_000)
  return Math.ceil(perSecond * seconds) + 1
}
