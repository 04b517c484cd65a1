import { parseArgs } from 'node:util'
import { startApp } from './app.ts'
import { systemClock } from './clock.ts'
import { type Config, ConfigError, readConfig } from './config/env.ts'
import { openDatabase } from './db/open-database.ts'
import { createLog, type Log } from './log.ts'

/** As the contract has it for every command: done, it found something, it could not run. */
const DONE = 0
const COULD_NOT_RUN = 2

const USAGE = `Usage: claimgate COMMAND

  serve [--no-migrate]   the service; brings the database's schema up to date first
  migrate [--json]       brings the database's schema up to date and ends

Settings are environment variables: see README.md.
`

/** Runs one command; returns the process's exit code. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const command = readCommand(args)
  if (typeof command === 'string') {
    process.stderr.write(command)
    return COULD_NOT_RUN
  }
  if (command.name === 'help') {
    process.stdout.write(USAGE)
    return DONE
  }
  try {
    const { config, warnings } = readConfig(env)
    // A command's own output is its result; the service's is its log.
    const log = createLog(config.logLevel, command.name === 'serve' ? 1 : 2)
    for (const warning of warnings) log.warn(warning)
    return command.name === 'serve'
      ? await serve(config, log, command.migrate)
      : await migrateOnly(config, log, command.json)
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n`)
    return COULD_NOT_RUN
  }
}

type Command = { name: 'help' } | { name: 'serve'; migrate: boolean } | { name: 'migrate'; json: boolean }

function readCommand(args: readonly string[]): Command | string {
  const [name, ...rest] = args
  if (name === undefined) return USAGE
  if (['help', '--help', '-h'].includes(name)) return { name: 'help' }
  try {
    if (name === 'serve') {
      const { values } = parseArgs({ args: [...rest], options: { 'no-migrate': { type: 'boolean' } } })
      return { name, migrate: values['no-migrate'] !== true }
    }
    if (name === 'migrate') {
      const { values } = parseArgs({ args: [...rest], options: { json: { type: 'boolean' } } })
      return { name, json: values.json === true }
    }
  } catch (error) {
    return `${(error as Error).message}\n\n${USAGE}`
  }
  return `There is no command '${name}'.\n\n${USAGE}`
}

async function serve(config: Config, log: Log, migrate: boolean): Promise<number> {
  const app = await startApp({ config, log, clock: systemClock, migrate })
  // Before it says that it listens: whoever reads that may end it at once.
  const signalled = new Promise<string>((resolve) => {
    // A second signal (npm repeats the terminal's) must not cut short what the first began.
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => resolve(name))
  })
  log.info({ url: app.url, publicUrl: config.publicUrl }, 'listening')
  const signal = await signalled
  log.info({ signal }, 'shutting down')
  await app.close()
  log.info('stopped')
  return DONE
}

async function migrateOnly(config: Config, log: Log, json: boolean): Promise<number> {
  const applied: string[] = []
  const db = await openDatabase(config, { migrate: true, log, onMigrated: (names) => applied.push(...names) })
  await db.close()
  process.stdout.write(json ? `${JSON.stringify({ applied })}\n` : `${describe(applied)}\n`)
  return DONE
}

function describe(applied: readonly string[]): string {
  return applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`
}

/** What an operator is told: every mistake of the configuration, or the fault and what is behind it. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join('\n')
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}
