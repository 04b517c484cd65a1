import { createTokens } from '../sender/tokens.ts'
import type { Service } from '../start-service.ts'
import { EXCHANGE, exchangeContestant } from './contestants.ts'
import { type Measurement, measureOnce, mediansOf } from './measure.ts'
import { FULL, warmUp } from './rounds.ts'
import type { Bench, Figure, Findings } from './scenario.ts'

/** Enough that every worker has some of them. */
const IDENTITIES = 20
const GOOD_SHARE = 0.25
/** Jobs of one project, whose bombs are sent one after the other. */
const BOMBERS = 4
const ISSUER = 'https://bombs.example.com'
/** A project may have 300 refusals a minute, so that these are of many. */
const PROJECTS = 1_000

/** What conditions must not do, each of which only its own identity sets off, so that no smoke run finds it. */
const BOMBS = {
  time: '\tr := numbers.range(1, 4000)\n\tcount([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0',
  memory: '\tcount([[x, y] | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000)]) > 0',
  doubling: [
    '\tx0 := input.claims.ref',
    ...Array.from({ length: 30 }, (_, n) => `\tx${n + 1} := concat("", [x${n}, x${n}])`),
    '\tcount(x30) > 0',
  ].join('\n'),
  output: '\tcount({concat("", ["x", format_int(n, 10)]) | some n in numbers.range(1, 10000000)}) > 0',
} as const

/** Good exchanges of twenty identities while the conditions of another one take all that they are given. */
export async function measureBombs(bench: Bench): Promise<Findings> {
  const service = await bench.startService()
  const emails: string[] = []
  for (let n = 0; n < IDENTITIES; n++) emails.push(await service.createIdentity(`deploy-${n}`))
  const tokens = createTokens(ISSUER, () => ({
    project_id: String(1 + Math.floor(Math.random() * PROJECTS)),
  }))
  await service.admin('POST', '/v1/issuers?issuerId=bombs', {
    issuerUrl: ISSUER,
    providerType: 'GITLAB',
    jwks: { keys: [tokens.publicJwk] },
  })
  const good = exchangeContestant(bench, service, emails)
  await warmUp(bench, [good])
  const { perSecond } = await measureOnce(bench.sender, good, FULL, bench.seconds)
  const pace = { kind: 'open', perSecond: perSecond * GOOD_SHARE } as const
  await tokens.ensure(bench.quick ? 500 : 20_000)

  const calm: Measurement[] = []
  const bombed = new Map<string, Measurement[]>()
  const bombs = new Map<string, number>()
  let used = 0
  for (let round = 1; round <= bench.rounds; round++) {
    calm.push(await measureOnce(bench.sender, good, pace, bench.seconds))
    for (const [name, body] of Object.entries(BOMBS)) {
      // Another one each round, whose policy nobody has had to stop before.
      const email = await createBomb(service, `${name}-${round}`, body)
      const going = new AbortController()
      const exploding = Array.from({ length: BOMBERS }, async () => {
        while (!going.signal.aborted) {
          await explode(service, email, tokens.at(used++))
          bombs.set(name, (bombs.get(name) ?? 0) + 1)
        }
      })
      const measured = await measureOnce(bench.sender, good, pace, bench.seconds)
      going.abort()
      await Promise.all(exploding)
      bombed.set(name, [...(bombed.get(name) ?? []), measured])
      bench.say(`round ${round}: ${name}, p99 ${measured.p99Ms.toFixed(1)} ms`)
    }
  }
  const measurements = [...bombed].map(([name, rounds]) => ({
    ...mediansOf(rounds),
    contestant: `good tokens beside a bomb of ${name}`,
  }))
  return {
    measurements: [{ ...mediansOf(calm), contestant: 'good tokens, no bomb' }, ...measurements],
    figures: [...bombed].flatMap(([name, rounds]): Figure[] => [
      {
        name: `worst p99 of others beside a bomb of ${name}`,
        value: worst(rounds),
        unit: 'ms',
        aim: 'under 100',
      },
      { name: 'bombs that went off meanwhile', value: bombs.get(name) ?? 0, unit: '' },
      {
        name: 'exchanges of others that were refused or failed',
        value: rounds.reduce((sum, { errors }) => sum + errors, 0),
        unit: '',
        aim: '0',
      },
    ]),
  }
}

function worst(rounds: readonly Measurement[]): number {
  return Math.max(...rounds.map(({ p99Ms }) => p99Ms))
}

async function createBomb(service: Service, id: string, body: string): Promise<string> {
  const conditions = [
    'package claimgate.conditions',
    'required := {"a": "A must hold."}',
    'met contains "a" if input.claims.ref == "main"',
    `met contains "a" if {\n\tstartswith(input.identity.email, "${id}@")\n${body}\n}`,
  ].join('\n\n')
  const workloadIdentityConfig = {
    providerType: 'GITLAB',
    issuerUrl: ISSUER,
    rules: [{ group: 'acme' }],
    conditions,
  }
  const path = `/v1/workspaces/default/workloadIdentities?workloadIdentityId=${id}`
  return (await service.admin('POST', path, { title: id, workloadIdentityConfig })).email
}

/** Throws where the bomb did not go off: it is a failure, or one too many waits already. */
async function explode({ url }: Service, email: string, token: string | undefined): Promise<void> {
  if (token === undefined) throw new Error('There are no more tokens of bombs.')
  const response = await fetch(`${url}${EXCHANGE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, email }),
  })
  const text = await response.text()
  if (response.status !== 401 && response.status !== 503) throw new Error(`A bomb was answered: ${text}`)
}
