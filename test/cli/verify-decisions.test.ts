import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { verifyDecisionsCommand } from '../../src/cli/verify-decisions.ts'
import { readConfig } from '../../src/config/env.ts'
import type { Database } from '../../src/db/database.ts'
import { openDatabase } from '../../src/db/open-database.ts'
import { createLog } from '../../src/log.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { processEnv } from '../support/service-process.ts'
import { createMigratedDatabase, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const MAIN_BRANCH = [{ type: 'BRANCH', pattern: 'main' }]
for (const kind of ONE_DATABASE) {
  describe(`verifying decisions on ${kind}`, () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-verify-'))
    let database: Awaited<ReturnType<typeof createMigratedDatabase>> | undefined
    let env: Record<string, string>
    let recorded: readonly Readonly<Record<string, string>>[]

    /**
     * A day's life: two identities, one of them changed meanwhile, jobs that are let in, refused and explained; then
     * guardrails that are set, changed and removed.
     */
    before(async () => {
      database = kind === 'postgresql' ? await createMigratedDatabase() : undefined
      const own = { DATA_DIR: dataDir, ...(database && { DATABASE_URL: database.url }) }
      const world = await startWorld(kind, own)
      const secrets = {
        ADMIN_TOKEN: world.adminToken,
        KEY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      }
      env = { ...own, ...secrets }
      try {
        await liveThrough(world)
        recorded = (await world.admin('GET', '/v1/decisions?pageSize=1000')).json.decisions.toReversed()
      } finally {
        await world.close()
      }
    })
    after(async () => {
      await database?.drop()
      rmSync(dataDir, { recursive: true, force: true })
    })

    async function run(...flags: string[]) {
      const child = spawn(process.execPath, [MAIN, 'decisions', 'verify', ...flags], {
        env: { ...processEnv(), LOG_LEVEL: 'fatal', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const [stdout, stderr] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ])
      return { exitCode: child.exitCode, stdout, stderr }
    }
    const runJson = async (...flags: string[]) => {
      const { exitCode, stdout, stderr } = await run('--json', ...flags)
      return { exitCode, stderr, found: JSON.parse(stdout) }
    }
    const withVerdict = () => recorded.filter(({ verdict }) => verdict !== null)

    test('finds every verdict as it was recorded, over changes of policy and guardrails', async () => {
      const { exitCode, stdout, stderr } = await run()

      assert.equal(exitCode, 0, stderr)
      assert.equal(
        stdout,
        `Verified ${withVerdict().length} decisions: all as recorded, 0 different. ` +
          `${recorded.length - withVerdict().length} decisions had no verdict to verify.\n`,
      )
      const digests = new Set(withVerdict().map(({ policyDigest }) => policyDigest))
      assert.equal(digests.size, 5)
      assert.deepEqual(
        new Set(withVerdict().map(({ kind: of, reason }) => `${of === 'ACCESS' ? 'access ' : ''}${reason}`)),
        new Set([
          'allowed',
          'condition_not_met',
          'token_replayed',
          'token_audience',
          'denied_by_guardrails',
          'access allowed',
          'access role_missing',
          'access rule_not_met',
          'access resource_unknown',
        ]),
      )
      assert.equal(new Set(withVerdict().map(({ guardrailsDigest }) => guardrailsDigest)).size, 3)
    })

    test('looks only at what its flags name, and goes on after a decision', async () => {
      const middle = recorded[5]
      assert.ok(middle)
      const later = recorded.slice(6).filter(({ verdict }) => verdict !== null)
      const ofOne = withVerdict().filter(({ identity }) => identity === recorded[0]?.identity)
      assert.ok(ofOne.length > 0 && ofOne.length < withVerdict().length && later.length > 0)

      const after = await runJson('--after', String(middle.name).replace('decisions/', ''))
      const identity = await runJson('--identity', String(recorded[0]?.identity))
      const since = await runJson('--since', String(recorded[6]?.decideTime))
      const sample = await runJson('--sample', '3')
      const none = await run('--identity', 'nobody@example.com')

      assert.deepEqual(after.found, {
        verified: later.length,
        withoutVerdict: recorded.length - 6 - later.length,
        different: 0,
        isComplete: true,
        lastDecision: recorded.at(-1)?.name,
        differences: [],
      })
      assert.equal(identity.found.verified, ofOne.length)
      assert.equal(since.found.verified, later.length)
      assert.equal(sample.found.verified, 3)
      assert.deepEqual([none.exitCode, none.stdout], [0, 'There is no such decision.\n'])
    })

    test('takes as many as are asked for also where they were made in bursts, and all where there are fewer', async () => {
      const { config } = readConfig(env)
      const db = await openDatabase(config, { migrate: false, log: createLog('silent') })
      const allowed = recorded.find(({ reason }) => reason === 'allowed')
      assert.ok(allowed)
      const id = String(allowed.name).replace('decisions/', '')
      // 200 in one millisecond, an hour later 400 in another, a month later one.
      await sql`
        insert into decisions (id, kind, outcome, reason, identity, identity_id, issuer_url, subject, claims, verdict,
          policy_digest, guardrails_digest, issued_key_id, issued_expire_time, decide_time)
        select (left(burst.at, 8) || '-' || right(burst.at, 4) || '-7000-8000-' || lpad(n::text, 12, '0'))::uuid, kind,
          outcome, reason, 'bursts@example.com', identity_id, issuer_url, subject, claims, verdict, policy_digest,
          guardrails_digest, issued_key_id, issued_expire_time, decide_time
        from decisions, (values ('019b00000000', 200), ('019b0036ee80', 400), ('019b9a7ec800', 1)) burst(at, size),
          generate_series(1, size) n
        where id = ${id}`.execute(db.kysely)
      await db.close()

      for (const [asked, verified] of [
        [1, 1],
        [5, 5],
        [200, 200],
        [601, 601],
        [900, 601],
      ]) {
        const { exitCode, found } = await runJson(
          '--identity',
          'bursts@example.com',
          '--sample',
          String(asked),
        )

        assert.deepEqual(
          [exitCode, found.verified, found.isComplete],
          [0, verified, true],
          `--sample ${asked}`,
        )
      }
    })

    test('reports each decision that says something else than its policy, and no other', async () => {
      const { config } = readConfig(env)
      const db = await openDatabase(config, { migrate: false, log: createLog('silent') })
      const allowed = recorded.find(({ reason }) => reason === 'allowed')
      const refused = recorded.find(({ reason }) => reason === 'condition_not_met')
      assert.ok(allowed && refused)
      const other = recorded.find(
        ({ policyDigest }) => policyDigest !== null && policyDigest !== allowed.policyDigest,
      )
      const guarded = recorded.find(({ reason }) => reason === 'denied_by_guardrails')
      const otherGuardrails = recorded.findLast(
        ({ guardrailsDigest }) => guardrailsDigest !== null && guardrailsDigest !== guarded?.guardrailsDigest,
      )
      assert.ok(guarded && otherGuardrails)
      const forged = [
        await forge(db, allowed, { claims: sql`replace(claims, 'refs/heads/main', 'refs/heads/mine')` }),
        await forge(db, allowed, { verdict: sql`replace(verdict, 'Deploy', 'deploy')` }),
        await forge(db, allowed, { policy_digest: sql`${`sha256:${'0'.repeat(64)}`}` }),
        await forge(db, allowed, { policy_digest: sql`${other?.policyDigest}` }),
        await forge(db, refused, { verdict: sql`replace(verdict, '"allow":false', '"allow":true')` }),
        await forge(db, refused, {
          outcome: sql`'ALLOWED'`,
          reason: sql`'allowed'`,
          issued_key_id: sql`'key'`,
          issued_expire_time: sql`now()`,
        }),
        await forge(db, allowed, {
          outcome: sql`'DENIED'`,
          reason: sql`'condition_not_met'`,
          issued_key_id: sql`null`,
          issued_expire_time: sql`null`,
        }),
        await forge(db, guarded, {
          verdict: sql`replace(verdict, '"allow":false', '"allow":true')`,
        }),
        await forge(db, guarded, { verdict: sql`replace(verdict, 'Hosted', 'hosted')` }),
        await forge(db, guarded, { guardrails_digest: sql`${otherGuardrails.guardrailsDigest}` }),
        await forge(db, guarded, { guardrails_digest: sql`null` }),
        await forge(db, allowed, { guardrails_digest: sql`${guarded.guardrailsDigest}` }),
      ]
      const access = recorded.find(({ kind: of, reason }) => of === 'ACCESS' && reason === 'allowed')
      assert.ok(access)
      forged.push(
        await forge(db, access, { claims: sql`replace(claims, '"rules":["deploy"]', '"rules":["other"]')` }),
        await forge(db, access, { policy_digest: sql`${allowed.policyDigest}` }),
        await forge(db, refused, { verdict: sql`null` }),
        await forge(db, guarded, { claims: sql`null` }),
        await forge(db, guarded, { reason: sql`'token_replayed'` }),
      )
      await db.close()

      const { exitCode, found } = await runJson('--identity', 'forged@example.com')
      const plain = await run('--identity', 'forged@example.com')
      const genuine = await runJson('--identity', String(allowed.identity))

      assert.equal(exitCode, 1)
      assert.equal(found.different, forged.length)
      assert.deepEqual(
        found.differences.map(({ decision }: { decision: string }) => decision).toSorted(),
        forged.map((id) => `decisions/${id}`).toSorted(),
      )
      const messages = new Map<string, string>(
        found.differences.map(({ decision, message }: Record<string, string>) => [decision, message]),
      )
      const said = forged.map((id) => messages.get(`decisions/${id}`) ?? '')
      assert.match(said[0] ?? '', /its policy denies it/)
      assert.match(said[1] ?? '', /in other words/)
      assert.match(said[2] ?? '', /no verdict: There is no such policy/)
      assert.match(said[3] ?? '', /its policy/)
      assert.match(said[4] ?? '', /its policy denies it/)
      assert.match(said[5] ?? '', /it was allowed/)
      assert.match(said[6] ?? '', /its policy says allowed, and condition_not_met was recorded/)
      assert.match(said[7] ?? '', /its policy denies it/)
      assert.match(said[8] ?? '', /in other words/)
      for (const index of [9, 10]) assert.match(said[index] ?? '', /its policy allows it/)
      assert.match(said[11] ?? '', /in other words/)
      assert.match(said[12] ?? '', /its policy denies it/)
      assert.match(said[13] ?? '', /no verdict/)
      for (const index of [14, 15]) assert.match(said[index] ?? '', /is missing/)
      assert.match(said[16] ?? '', /its policy says denied_by_guardrails, and token_replayed was recorded/)
      assert.equal(plain.exitCode, 1)
      assert.equal(
        plain.stdout.split('\n').filter((line) => line.startsWith('decisions/')).length,
        forged.length,
      )
      assert.equal(genuine.exitCode, 0)
    })
  })
}

describe('a verification is refused, with the flag that is wrong, for', () => {
  for (const [flags, message] of [
    [{ sample: '0' }, /^--sample must be a whole number from 1 on\.$/],
    [{ sample: '1e3' }, /^--sample must be a whole number/],
    [{ sample: '1000001' }, /^--sample must be at most 1000000: leave it out to verify all\.$/],
    [{ after: 'decisions/x' }, /^--after must be the id of a decision\.$/],
    [{ since: '' }, /^--since must not be empty\.$/],
    [{ since: '2026-11-26T00:00:00Z', until: '2026-11-25T00:00:00Z' }, /since must not be later than until/],
  ] as const) {
    test(JSON.stringify(flags), async () => {
      const { config } = readConfig({ DATA_DIR: '/nowhere' })

      const running = verifyDecisionsCommand.run({ config, log: createLog('silent'), flags })

      await assert.rejects(running, ({ message: said }: Error) => message.test(said))
    })
  }
})

/** A token and its identity that are asked about, before and after a rule of it goes. */
async function askForAccess(world: World): Promise<void> {
  const rule = { id: 'deploy', group: 'acme', roles: ['roles/auditor'] }
  const email = await world.createIdentity([rule])
  const token = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)).json.accessToken
  const subjects = [
    { type: 'token', id: token },
    { type: 'workload', id: email },
  ]
  const resources = [
    { type: 'workspace', id: 'default' },
    { type: 'project', id: 'none' },
  ]
  for (const name of ['claimgate.decisions.get', 'claimgate.guardrails.update']) {
    const evaluations = subjects.flatMap((subject) => resources.map((resource) => ({ subject, resource })))
    await world.admin('POST', '/access/v1/evaluations', { action: { name }, evaluations })
  }
}

async function liveThrough(world: World): Promise<void> {
  const rule = { id: 'deploy', title: 'Deploy', group: 'acme', project: 'app', refs: MAIN_BRANCH }
  const first = await world.createIdentity([rule], { identity: { recordedClaims: ['user_login'] } })
  await world.admin('POST', '/v1/projects?projectId=web', {})
  const created = await world.admin('POST', '/v1/projects/web/workloadIdentities?workloadIdentityId=deploy', {
    title: 'Web',
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl: world.gitlab.issuerUrl,
      rules: [{ id: 'any', group: 'acme' }],
    },
  })
  const second = created.json.email
  for (const email of [first, second]) {
    for (const claims of [
      {},
      { ref: 'v1', ref_path: 'refs/heads/v1' },
      { namespace_path: 'other' },
      { aud: 'x' },
    ]) {
      // Not at a whole second: the policy saw whole ones.
      world.clock.advance(1_337)
      const token = world.gitlab.signToken(gitlabClaims('18.4', claims))
      await world.exchange(token, email)
      await world.exchange(token, email)
      await world.request('POST', '/v1/auth:explainToken', { body: { token, email } })
    }
    await world.exchange('not a token', email)
    world.clock.advance(60_000)
  }
  const rules = [{ ...rule, refs: [], mergeRequests: 'NONE' }]
  await world.admin('PATCH', `/v1/workloadIdentities/${first}`, { workloadIdentityConfig: { rules } })
  await world.exchange(
    world.gitlab.signToken(gitlabClaims('18.4', { ref: 'v1', ref_path: 'refs/heads/v1' })),
    first,
  )
  for (const runner of ['gitlab-hosted', 'self-hosted']) {
    await world.admin('PUT', '/v1/guardrails', { source: guardrailsFor(runner) })
    for (const email of [first, second]) {
      const claims = gitlabClaims('18.4', { runner_environment: 'self-hosted' })
      await world.exchange(world.gitlab.signToken(claims), email)
    }
  }
  await world.admin('PUT', '/v1/guardrails', { source: '' })
  await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), first)
  world.clock.advance(1_337)
  await askForAccess(world)
}

function guardrailsFor(runner: string): string {
  return [
    'package claimgate.guardrails',
    'required := {"runner": "Hosted as it must be."}',
    `met contains "runner" if input.claims.runner_environment == "${runner}"`,
  ].join('\n\n')
}

/** Adds a copy of a recorded decision under another identity and id, with columns as somebody made them up. */
async function forge(
  db: Database,
  decision: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, ReturnType<typeof sql>>>,
): Promise<string> {
  const id = String(decision.name).replace('decisions/', '')
  const forgedId = `${id.slice(0, 24)}${randomUUID().slice(24)}`
  const { rows } = await sql<{ name: string }>`
    select column_name as name from information_schema.columns where table_name = 'decisions'
    order by ordinal_position`.execute(db.kysely)
  const given: Readonly<Record<string, ReturnType<typeof sql>>> = {
    id: sql`${forgedId}::uuid`,
    identity: sql`'forged@example.com'`,
    ...changes,
  }
  const values = rows.map(({ name }) => given[name] ?? sql.ref(name))
  await sql`insert into decisions (${sql.join(rows.map(({ name }) => sql.ref(name)))})
    select ${sql.join(values)} from decisions where id = ${id}`.execute(db.kysely)
  return forgedId
}
