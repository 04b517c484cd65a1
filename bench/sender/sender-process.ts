import type { SenderAnswer, SenderCommand } from './load.ts'
import { sendLoad } from './send-load.ts'
import { createTokens } from './tokens.ts'
import { createRequestWriter } from './write-request.ts'

/** The process that sends: it does what its parent tells it, one command after the other. */
function startSenderProcess(answer: (message: SenderAnswer) => void): void {
  const tokens = createTokens()
  /** How many tokens each series has used. */
  const used = new Map<string, number>()

  function nextToken(series: string): string | undefined {
    const index = used.get(series) ?? 0
    used.set(series, index + 1)
    return tokens.at(index)
  }

  async function obey(command: SenderCommand): Promise<SenderAnswer> {
    if (command.kind === 'sign') {
      await tokens.ensure((used.get(command.series) ?? 0) + command.tokens)
      return { kind: 'signed' }
    }
    const { load } = command
    return { kind: 'done', result: await sendLoad(load, createRequestWriter(load, tokens, nextToken)) }
  }

  process.on('message', (command: SenderCommand) => {
    obey(command).then(answer, (error: Error) => answer({ kind: 'failed', message: error.message }))
  })
  process.on('disconnect', () => process.exit())
  answer({ kind: 'ready', issuerUrl: tokens.issuerUrl, publicJwk: tokens.publicJwk })
}

startSenderProcess((message) => process.send?.(message))
