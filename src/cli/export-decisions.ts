import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'
import { z } from 'zod'
import { openDatabase } from '../db/open-database.ts'
import { decisionParameters, readDecisionFilter } from '../decision/decision-filter.ts'
import { timeOfId } from '../decision/decision-id.ts'
import { createDecisionStore, type DecisionFilter, type DecisionStore } from '../decision/decision-store.ts'
import { decisionJson } from '../http/decision-json.ts'
import { DONE, type ServiceCommand } from './command.ts'
import { createProgressBar } from './progress-bar.ts'
import { readFlags } from './read-flags.ts'
import { writeWhole } from './write-whole.ts'

const parameters = {
  ...decisionParameters,
  output: z.string(),
  compress: z.enum(['gzip', 'zstd']),
}

/** `claimgate decisions export`: decisions as the API answers them, a line each. */
export const exportDecisionsCommand: ServiceCommand = {
  usage: '[OPTIONS]',
  does: 'writes decisions as lines of JSON, oldest first',
  options: [
    ['--since TIME', 'none from before it, as in 2026-11-25T08:00:00Z'],
    ['--until TIME', 'only from before it'],
    ['--identity EMAIL', 'those that were asked for this identity'],
    ['--outcome OUTCOME', `${decisionParameters.outcome.options.join(', ')}`],
    ['--reason REASON', 'as the decisions have it, for example condition_not_met'],
    ['--kind KIND', `${decisionParameters.kind.options.join(', ')}`],
    ['--project PROJECT', "a project's path at its provider, or a project of claimgate"],
    ['--resource RESOURCE', 'what access was asked for, as in projects/payments'],
    ['--output FILE', 'there once it is whole; without it, standard output'],
    ['--compress gzip|zstd', "without it, as the file's ending says (.gz, .zst)"],
    ['--json', 'with --output, what was written as JSON'],
  ],
  flags: {
    ...Object.fromEntries(Object.keys(parameters).map((name) => [name, { type: 'string' as const }])),
    json: { type: 'boolean' },
  },
  async run({ config, log, flags }) {
    const { output, compress = compressionOf(output), ...given } = readFlags(parameters, flags)
    const filter = readDecisionFilter(given)
    const db = await openDatabase(config, { migrate: false, log })
    const isInTheWay = output === undefined && process.stdout.isTTY
    const progress = createProgressBar(isInTheWay ? undefined : process.stderr)
    let exported = 0
    const lines = readLines(createDecisionStore(db), filter, (rows, share) => {
      exported += rows
      progress.show(`${exported.toLocaleString('en')} decisions`, share)
    })
    const stages = [Readable.from(lines), ...compressorOf(compress)]
    try {
      if (output === undefined) await pipeToStdout(stages)
      else await writeWhole(output, (file, signal) => pipeline([...stages, file], { signal }))
    } finally {
      progress.end()
      await db.close()
    }
    if (output !== undefined) report(exported, output, flags.json === true)
    return DONE
  },
}

function compressionOf(file: string | undefined): 'gzip' | 'zstd' | undefined {
  if (file?.endsWith('.gz')) return 'gzip'
  return file?.endsWith('.zst') ? 'zstd' : undefined
}

function compressorOf(compression: 'gzip' | 'zstd' | undefined) {
  if (compression === undefined) return []
  return [compression === 'gzip' ? createGzip() : createZstdCompress()]
}

/** What one statement reads: about 2 MB. */
const ROWS_AT_ONCE = 1_000

/**
 * The decisions that there are when it begins, in chunks of lines; the newest of them is the last, so that it ends.
 * While a chunk is written the next is read. `onRead` is told each chunk's rows and the share of the time behind it.
 */
async function* readLines(
  decisions: Pick<DecisionStore, 'list'>,
  filter: DecisionFilter,
  onRead: (rows: number, share: number) => void,
): AsyncGenerator<string> {
  const read = (after?: string) => {
    const rows = decisions.list({ ...filter, after, oldestFirst: true, limit: ROWS_AT_ONCE })
    // Where nobody reads on, nobody waits for it.
    rows.catch(() => undefined)
    return rows
  }
  const [newest] = await decisions.list({ ...filter, limit: 1 })
  if (newest === undefined) return
  let firstTime: number | undefined
  for (let reading = read(); ; ) {
    const rows = (await reading).filter(({ id }) => id <= newest.id)
    const last = rows.at(-1)
    if (last === undefined) return
    reading = read(last.id)
    yield rows.map((row) => `${JSON.stringify(decisionJson(row))}\n`).join('')
    firstTime ??= timeOfId(rows[0]?.id ?? last.id)
    onRead(rows.length, (timeOfId(last.id) - firstTime) / (timeOfId(newest.id) - firstTime || 1))
    if (last.id === newest.id) return
  }
}

/** Who reads may have seen enough, as `head` has: that is no fault. */
async function pipeToStdout(
  stages: readonly (NodeJS.ReadableStream | NodeJS.ReadWriteStream)[],
): Promise<void> {
  try {
    await pipeline([...stages, process.stdout])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  }
}

function report(decisions: number, file: string, asJson: boolean): void {
  const text = asJson
    ? JSON.stringify({ decisions, file })
    : `Exported ${decisions.toLocaleString('en')} decision${decisions === 1 ? '' : 's'} to ${file}.`
  process.stdout.write(`${text}\n`)
}
