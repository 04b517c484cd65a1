import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { exportDecisionsCommand } from '../../src/cli/export-decisions.ts'
import { readConfig } from '../../src/config/env.ts'
import { openEmbedded } from '../../src/db/embedded.ts'
import { lockDataDir } from '../../src/db/lock-data-dir.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openPostgresql } from '../../src/db/postgresql.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createDecisionStore } from '../../src/decision/decision-store.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import { createLog } from '../../src/log.ts'
import { addIdentity, allowed, denied } from '../decision/sample-decisions.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { processEnv } from '../support/service-process.ts'
import { createMigratedDatabase, DATABASES } from '../support/world.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const START = Date.UTC(2026, 10, 24, 12)
/** More than one statement reads. */
const DECISIONS = 2_345

type Exported = {
  readonly name: string
  readonly decideTime: string
  readonly identity: string
  readonly outcome: string
}

for (const kind of DATABASES) {
  describe(`exporting decisions on ${kind}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'claimgate-export-'))
    /** What does not depend on the database is shown on the first alone: each export is a process. */
    const oncePerSuite = { skip: kind !== DATABASES[0] }
    let database: Awaited<ReturnType<typeof createMigratedDatabase>> | undefined
    let env: Record<string, string>
    const ids: string[] = []

    before(async () => {
      database = kind === 'postgresql' ? await createMigratedDatabase() : undefined
      if (kind === 'embedded') copyEmbeddedTemplate(join(directory, 'data'))
      const db = database
        ? openPostgresql(database.url, createLog('silent'))
        : await openEmbedded(join(directory, 'data'))
      await migrate(db)
      await createDecisionStore(db).ensurePartitions(START)
      const grounds = [
        await addIdentity(db, 'a@workload.example.com'),
        await addIdentity(db, 'b@workload.example.com'),
      ] as const
      const record = createDecisionRecorder({ db, log: createLog('silent') })
      const newId = createDecisionIds()
      for (let from = 0; from < DECISIONS; from += 500) {
        await Promise.all(
          Array.from({ length: Math.min(500, DECISIONS - from) }, (_, offset) => {
            const n = from + offset
            const decideTime = START + n * 1000
            const more = { id: newId(decideTime), decideTime, userAgent: `curl/8 “${n}”` }
            ids.push(more.id)
            return record(
              n % 5 === 0
                ? denied(grounds[(n % 2) as 0 | 1], more)
                : allowed(grounds[(n % 2) as 0 | 1], undefined, more),
            )
          }),
        )
      }
      await db.close()
      env = {
        LOG_LEVEL: 'fatal',
        DATA_DIR: join(directory, 'data'),
        ...(database && {
          DATABASE_URL: database.url,
          ADMIN_TOKEN: randomBytes(24).toString('hex'),
          KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
        }),
      }
    })
    after(async () => {
      await database?.drop()
      rmSync(directory, { recursive: true, force: true })
    })

    const start = (...flags: string[]): ChildProcess =>
      spawn(process.execPath, [MAIN, 'decisions', 'export', ...flags], {
        env: { ...processEnv(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    async function run(...flags: string[]) {
      const child = start(...flags)
      const [stdout, stderr] = await Promise.all([
        text(child.stdout as NodeJS.ReadableStream),
        text(child.stderr as NodeJS.ReadableStream),
        child.exitCode === null ? once(child, 'close') : undefined,
      ])
      return { exitCode: child.exitCode, stdout, stderr }
    }
    const parse = (lines: string): readonly Exported[] =>
      lines
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    const idsOf = (lines: string) => parse(lines).map(({ name }) => name.replace('decisions/', ''))

    test('gives each one once, oldest first, and nothing but lines of JSON', async () => {
      const { exitCode, stdout, stderr } = await run()

      assert.equal(exitCode, 0, stderr)
      assert.deepEqual(idsOf(stdout), ids)
      assert.equal(stderr, '')
      assert.ok(stdout.endsWith('}\n'))
    })

    test('gives those that all filters let through', async () => {
      const since = new Date(START + 100_000).toISOString()
      const until = new Date(START + 2_000_000).toISOString().replace('Z', '+00:00')
      const filters = [
        '--identity',
        'a@workload.example.com',
        '--outcome',
        'DENIED',
        '--reason',
        'condition_not_met',
      ]

      const { exitCode, stdout, stderr } = await run(
        ...filters,
        '--kind',
        'EXCHANGE',
        '--project',
        'ACME/app',
        '--since',
        since,
        '--until',
        until,
      )

      assert.equal(exitCode, 0, stderr)
      assert.deepEqual(
        idsOf(stdout),
        ids.filter((_, n) => n >= 100 && n < 2000 && n % 5 === 0 && n % 2 === 0),
      )
    })

    for (const [name, flags, decompress] of [
      ['plain.ndjson', [], (bytes: Buffer) => bytes],
      ['by-its-name.gz', [], gunzipSync],
      ['by-its-name.zst', [], zstdDecompressSync],
      ['asked-for', ['--compress', 'zstd'], zstdDecompressSync],
      ['asked-for.zst', ['--compress', 'gzip'], gunzipSync],
    ] as const) {
      test(
        `writes a file, compressed as its ending or the flag says: ${name} ${flags.join(' ')}`,
        oncePerSuite,
        async () => {
          const file = join(directory, name)

          const { exitCode, stdout, stderr } = await run('--output', file, ...flags)

          assert.equal(exitCode, 0, stderr)
          assert.equal(stdout, `Exported 2,345 decisions to ${file}.\n`)
          assert.equal(stderr, '')
          assert.deepEqual(idsOf(decompress(readFileSync(file)).toString()), ids)
          assert.equal(statSync(file).mode & 0o777, 0o600)
        },
      )
    }

    test(
      'compresses standard output too, and says for machines what a file holds',
      oncePerSuite,
      async () => {
        const file = join(directory, 'for-machines')
        const child = start('--compress', 'gzip', '--outcome', 'DENIED')
        const bytes = Buffer.concat(
          await (child.stdout as NodeJS.ReadableStream & { toArray(): Promise<Buffer[]> }).toArray(),
        )

        const { stdout } = await run('--output', file, '--json')

        assert.equal(parse(gunzipSync(bytes).toString()).length, DECISIONS / 5)
        assert.deepEqual(JSON.parse(stdout), { decisions: DECISIONS, file })
      },
    )

    test('ends quietly when its reader has seen enough', oncePerSuite, async () => {
      const child = start()
      const errors = text(child.stderr as NodeJS.ReadableStream)
      child.stdout?.once('data', () => child.stdout?.destroy())

      await once(child, 'close')

      assert.equal(await errors, '')
      assert.equal(child.exitCode, 0)
    })

    test('replaces a file only by a whole one, also behind a link', oncePerSuite, async () => {
      const room = mkdtempSync(join(directory, 'room-'))
      writeFileSync(join(room, 'target'), 'what was there')
      symlinkSync(join(room, 'target'), join(room, 'link'))

      const failed = await run('--output', join(room, 'link'), '--since', 'yesterday')
      const kept = readFileSync(join(room, 'target'), 'utf8')
      const { exitCode } = await run('--output', join(room, 'link'), '--outcome', 'FAILED')

      assert.equal(failed.exitCode, 2)
      assert.equal(kept, 'what was there')
      assert.equal(exitCode, 0)
      assert.equal(readFileSync(join(room, 'target'), 'utf8'), '')
      assert.deepEqual(readdirSync(room).toSorted(), ['link', 'target'])
    })

    test('leaves nothing of a file that it was interrupted in', oncePerSuite, async () => {
      const room = mkdtempSync(join(directory, 'room-'))
      const child = start('--output', join(room, 'all.ndjson'))
      const errors = text(child.stderr as NodeJS.ReadableStream)
      while (readdirSync(room).length === 0) await new Promise((resolve) => setImmediate(resolve))

      child.kill('SIGINT')
      await once(child, 'close')

      // It may have been done before the signal came: then the file is whole.
      const isDone = existsSync(join(room, 'all.ndjson'))
      assert.equal(child.exitCode, isDone ? 0 : 2)
      assert.deepEqual(readdirSync(room), isDone ? ['all.ndjson'] : [])
      if (!isDone) assert.match(await errors, /interrupted, and .*all\.ndjson was not written/)
    })

    test('writes to what is no file as it is', oncePerSuite, async () => {
      const { exitCode, stderr } = await run('--output', '/dev/null')

      assert.equal(exitCode, 0, stderr)
      assert.ok(statSync('/dev/null').isCharacterDevice())
    })

    test('says in a sentence where it cannot write', oncePerSuite, async () => {
      mkdirSync(join(directory, 'folder'))
      for (const [file, message] of [
        [join(directory, 'none', 'file'), /file could not be written\. \(ENOENT/],
        [join(directory, 'folder'), /folder could not be written\. \(EISDIR/],
      ] as const) {
        const { exitCode, stdout, stderr } = await run('--output', file)

        assert.match(stderr, message)
        assert.deepEqual([exitCode, stdout], [2, ''])
      }
    })

    test('leaves the embedded database of a running service alone, and says so', async () => {
      if (kind !== 'embedded') return
      const unlock = lockDataDir(join(directory, 'data'))

      const { exitCode, stdout, stderr } = await run()
      unlock()

      assert.match(stderr, /is in use by another claimgate/)
      assert.deepEqual([exitCode, stdout], [2, ''])
    })
  })
}

describe('an export is refused, with the flag that is wrong, for', () => {
  for (const [flags, message] of [
    [{ reason: 'condition_notmet' }, /^--reason must be .*: the nearest is 'condition_not_met'\.$/],
    [{ outcome: 'allowed' }, /^--outcome must be 'ALLOWED', .*: the nearest is 'ALLOWED'\.$/],
    [{ kind: 'DRY' }, /^--kind must be /],
    [{ since: '2026-11-25' }, /^--since must be a time as in /],
    [{ until: 'tomorrow' }, /^--until must be a time as in /],
    [{ since: '' }, /^--since must not be empty\.$/],
    [{ output: '' }, /^--output must not be empty\.$/],
    [{ since: '2026-11-26T00:00:00Z', until: '2026-11-25T00:00:00Z' }, /since must not be later than until/],
    [{ project: 'Acme' }, /^--project must be a project's path/],
    [{ compress: 'brotli' }, /^--compress must be 'gzip' or 'zstd', not 'brotli'\.$/],
  ] as const) {
    test(JSON.stringify(flags), async () => {
      const { config } = readConfig({ DATA_DIR: '/nowhere' })

      const running = exportDecisionsCommand.run({ config, log: createLog('silent'), flags })

      await assert.rejects(running, ({ message: said }: Error) => message.test(said))
    })
  }
})
