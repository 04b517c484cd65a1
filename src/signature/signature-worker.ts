import type { KeyObject } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { saveCompiledCode } from '../compiled-code.ts'
import { signJws, verifyJws } from './jws-signature.ts'
import type { SignatureAnswer, SignatureCommand } from './signature-command.ts'

/** Verifies and signs in a thread of its own, one after the other. */
function startWorker(port: NonNullable<typeof parentPort>): void {
  const keys = new Map<number, KeyObject>()
  port.on('message', (commands: readonly SignatureCommand[]) => {
    const answers: SignatureAnswer[] = []
    for (const command of commands) {
      if (command.kind === 'hold') keys.set(command.number, command.key)
      else if (command.kind === 'drop') keys.delete(command.number)
      else answers.push(answerTo(command, keys.get(command.number)))
    }
    if (answers.length > 0) port.postMessage(answers)
  })
}

type Work = Extract<SignatureCommand, { kind: 'verify' | 'sign' }>

function answerTo(command: Work, key: KeyObject | undefined): SignatureAnswer {
  if (key === undefined) return { ok: false, problem: 'The key is not held.' }
  try {
    const value =
      command.kind === 'verify'
        ? verifyJws(command.algorithm, key, command.jws)
        : signJws(key, command.signingInput)
    return { ok: true, value }
  } catch (error) {
    return { ok: false, problem: String(error) }
  }
}

if (parentPort !== null) {
  startWorker(parentPort)
  saveCompiledCode()
}
