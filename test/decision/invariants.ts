import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, runSql, type World } from '../support/world.ts'

/** What came of one attempt to exchange a token. */
export type Attempt = { readonly token: string; readonly answer: Answer }

/** Exchanges fresh tokens, some at a time, until it is stopped; a token that got no clear answer is tried once more. */
export function startLoad(world: World, email: string, atOnce = 8) {
  const attempts: Attempt[] = []
  let stopped = false

  async function attempt(token: string): Promise<number> {
    const answer = await world.exchange(token, email).catch(unanswered)
    attempts.push({ token, answer })
    return answer.status
  }
  async function worker(): Promise<void> {
    while (!stopped) {
      const token = world.gitlab.signToken(gitlabClaims('18.4'))
      const status = await attempt(token)
      if (status === 0) return
      if (status === 503) await attempt(token)
    }
  }
  const workers = Array.from({ length: atOnce }, worker)

  return {
    attempts,
    count: (status: number) => attempts.filter(({ answer }) => answer.status === status).length,
    async stop(): Promise<readonly Attempt[]> {
      stopped = true
      await Promise.all(workers)
      return attempts
    },
  }
}

/** No answer at all is a fault of the service, which the invariants find. */
function unanswered(error: Error): Answer {
  return { status: 0, headers: new Headers(), text: String(error.cause ?? error), json: undefined }
}

/** Polls until a condition holds; fails where it does not within so long. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
) {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`not within ${withinMs} ms: ${what}`)
    await pause(20)
  }
}

/** The service exchanges tokens again, without a hand, within ten seconds (I5). */
export function healthyAgain(world: World, email: string): Promise<void> {
  return eventually(
    'an exchange succeeds',
    async () => {
      const { status } = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      return status === 200
    },
    10_000,
  )
}

/** The ids of the decisions that are committed now. */
export async function committedIds(url: string): Promise<ReadonlySet<string>> {
  const rows = await runSql(url, 'select id from decisions')
  return new Set(rows.map(({ id }) => id))
}

/**
 * Whatever happened: each token handed out has its one committed allowed decision (I1), no committed row is gone (I2),
 * no token stands beside a refusal (I3), no job's token was used twice (I4). `url`: the database, past any proxy.
 */
export async function assertInvariants(
  url: string,
  email: string,
  attempts: readonly Attempt[],
  earlier: ReadonlySet<string> = new Set(),
): Promise<void> {
  const rows = await runSql(
    url,
    `select id, outcome, claims::json->>'jti' as jti from decisions where identity = $1`,
    [email],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))

  for (const { token, answer } of attempts) {
    if (answer.status === 200) {
      assert.equal(
        byId.get(answer.json.decisionId)?.outcome,
        'ALLOWED',
        'I1: a token without a committed decision',
      )
      assert.equal(
        byId.get(answer.json.decisionId)?.jti,
        claimsOf(token).jti,
        'I1: the decision is on another token',
      )
      assert.equal(claimsOf(answer.json.accessToken).jti, answer.json.decisionId)
    } else {
      assert.doesNotMatch(answer.text, /accessToken|eyJ/, 'I3: a token beside a refusal')
      assert.ok([403, 503].includes(answer.status), `${answer.status} ${answer.text}`)
      if (answer.status === 503) assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
    }
  }
  const now = await committedIds(url)
  assert.deepEqual(
    [...earlier].filter((id) => !now.has(id)),
    [],
    'I2: committed rows are gone',
  )

  const allowedRows = rows.filter(({ outcome }) => outcome === 'ALLOWED')
  assert.equal(
    new Set(allowedRows.map(({ jti }) => jti)).size,
    allowedRows.length,
    'I4: a token was used twice',
  )
  const given = attempts.filter(({ answer }) => answer.status === 200).map(({ token }) => token)
  assert.equal(new Set(given).size, given.length, 'I4: two tokens for one')
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
