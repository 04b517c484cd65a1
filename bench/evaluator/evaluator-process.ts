import { createEvaluator } from '../../src/policy/evaluate.ts'
import { gitlabClaims } from '../../test/support/gitlab-claims.ts'
import type { EvaluatorAnswer, EvaluatorCommand } from './evaluator.ts'

/** A process with nothing in it but the evaluator and somebody who asks. */
function startEvaluatorProcess(answer: (message: EvaluatorAnswer) => void): void {
  let wasm: Uint8Array | undefined
  const evaluator = createEvaluator({ loadCode: async () => wasm })

  async function run({ inFlight, seconds, email }: EvaluatorCommand): Promise<EvaluatorAnswer> {
    const [before = '', after = ''] = inputOf(email).split('JOB')
    const latenciesMs: number[] = []
    let errors = 0
    const usedBefore = process.cpuUsage()
    const startedAt = performance.now()
    const until = startedAt + seconds * 1000
    const ask = async () => {
      for (let now = startedAt; now < until; ) {
        const sentAt = performance.now()
        const job = Math.floor(Math.random() * 1e9)
        const result = await evaluator.evaluate('bench', `${before}${job}${after}`)
        now = performance.now()
        latenciesMs.push(now - sentAt)
        if (!result.ok || !result.allow) errors++
      }
    }
    await Promise.all(Array.from({ length: inFlight }, ask))
    const { user, system } = process.cpuUsage(usedBefore)
    return {
      seconds: (performance.now() - startedAt) / 1000,
      latenciesMs: Float64Array.from(latenciesMs),
      errors,
      processorMs: (user + system) / 1000,
      residentMb: process.memoryUsage.rss() / 2 ** 20,
    }
  }

  process.on('message', (command: EvaluatorCommand) => {
    wasm ??= command.wasm
    void run(command).then(answer)
  })
  process.on('disconnect', () => process.exit())
}

function inputOf(email: string): string {
  return JSON.stringify({
    claims: gitlabClaims('18.9', { iss: 'https://gitlab.example.com', job_id: 'JOB' }),
    time: Math.floor(Date.now() / 1000),
    identity: { email, project: '' },
    provider: 'GITLAB',
  })
}

startEvaluatorProcess((message) => process.send?.(message))
