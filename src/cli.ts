import { parseArgs } from 'node:util'
import { COULD_NOT_RUN, type Command, DONE, type Flags } from './cli/command.ts'
import { ConfigError, readClientConfig, readConfig } from './config/env.ts'
import { createLog } from './log.ts'
import { hasPrimary, leavePrimary } from './workers/primary-link.ts'

/**
 * By name, which may be two words. Only the one that is asked for is imported: most need a small part of the program,
 * and start sooner so.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./cli/serve.ts')).serveCommand,
  migrate: async () => (await import('./cli/migrate.ts')).migrateCommand,
  doctor: async () => (await import('./cli/doctor.ts')).doctorCommand,
  'decisions export': async () => (await import('./cli/export-decisions.ts')).exportDecisionsCommand,
  'decisions verify': async () => (await import('./cli/verify-decisions.ts')).verifyDecisionsCommand,
  'keys rotate': async () => (await import('./cli/rotate-keys.ts')).rotateKeysCommand,
  'policy check': async () => (await import('./cli/policy/policy-check.ts')).policyCheckCommand,
  'policy test': async () => (await import('./cli/policy/policy-test.ts')).policyTestCommand,
  'policy show': async () => (await import('./cli/policy/policy-show.ts')).policyShowCommand,
  plan: async () => (await import('./cli/policy/plan.ts')).planCommand,
  apply: async () => (await import('./cli/policy/apply.ts')).applyCommand,
}

/** Runs one command; returns the process's exit code. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (args[0] === 'help' || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(await usage())
    return DONE
  }
  const asked = await readArguments(args)
  if (typeof asked === 'string') {
    process.stderr.write(asked)
    return COULD_NOT_RUN
  }
  const { command, flags, operands } = asked
  try {
    if ('operands' in command) {
      goWhereNpmWasRun(env)
      return await command.run({ config: readClientConfig(env), flags, operands })
    }
    const { config, warnings } = readConfig(env)
    const log = createLog(config.logLevel, command.logsToStdout ? 1 : 2)
    if (!hasPrimary()) for (const warning of warnings) log.warn(warning)
    return await command.run({ config, log, flags })
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n`)
    return COULD_NOT_RUN
  } finally {
    leavePrimary()
  }
}

/**
 * npm runs our script in the folder of our package.json, but whoever names files names them from where they are. What
 * belongs to the service, as DATA_DIR, stays where `npm start` has it.
 */
function goWhereNpmWasRun(env: NodeJS.ProcessEnv): void {
  const isOurScript = env.npm_package_name === 'claimgate' && env.npm_lifecycle_event === 'claimgate'
  if (isOurScript && env.INIT_CWD) process.chdir(env.INIT_CWD)
}

/** The command and its flags, or what to tell whoever asked for something else. */
async function readArguments(
  args: readonly string[],
): Promise<{ command: Command; flags: Flags; operands: readonly string[] } | string> {
  const [name, load] = Object.entries(COMMANDS).find(([each]) => isNamed(args, each)) ?? []
  if (name === undefined || load === undefined) {
    const given = args.filter((word) => !word.startsWith('-'))
    return given.length === 0 ? usage() : refuseUnknown(given)
  }
  const command = await load()
  try {
    const rest = args.slice(name.split(' ').length)
    const wanted = 'operands' in command ? command.operands : []
    const { values, positionals } = parseArgs({
      args: rest,
      options: command.flags,
      allowPositionals: wanted.length > 0,
    })
    const needed = wanted.filter((operand) => !operand.startsWith('[')).length
    if (positionals.length >= needed && positionals.length <= wanted.length)
      return { command, flags: { ...values } as Flags, operands: positionals }
    const needs = wanted.length === 0 ? 'nothing' : wanted.join(' and ')
    return `${name} needs ${needs}, and nothing else beside its options.\n\n${usageOf({ name, ...command })}`
  } catch (error) {
    return `${(error as Error).message}\n\n${usageOf({ name, ...command })}`
  }
}

/** What there is in place of a command that there is not: the second words, where the first is one of two. */
function refuseUnknown(words: readonly string[]): string {
  const names = Object.keys(COMMANDS)
  const beginAlike = names.filter((name) => name.startsWith(`${words[0]} `))
  const first =
    words.length === 1 && beginAlike.length > 0
      ? `'${words[0]}' needs a second word`
      : `There is no command '${words.join(' ')}'`
  const there = beginAlike.length > 0 ? beginAlike : names
  return `${first}. There is: ${there.join(', ')}.\nWhat they do and take: claimgate --help\n`
}

function isNamed(args: readonly string[], name: string): boolean {
  return name.split(' ').every((word, index) => args[index] === word)
}

async function usage(): Promise<string> {
  const loaded = Object.entries(COMMANDS).map(async ([name, load]) => ({ name, ...(await load()) }))
  const commands = await Promise.all(loaded)
  return `Usage: claimgate COMMAND

${aligned(commands.map(({ name, usage, does }) => [`${name} ${usage}`, does]))}

${commands.map(optionsOf).join('')}Settings are environment variables: see README.md.
`
}

type NamedCommand = Pick<Command, 'usage' | 'does' | 'options'> & { readonly name: string }

/** Of one command, for whoever knows which. */
function usageOf(command: NamedCommand): string {
  const { name, usage, does } = command
  return `${`Usage: claimgate ${name} ${usage}\n\n  ${does}\n\n${optionsOf(command)}`.trimEnd()}\n`
}

function optionsOf({ name, options }: Pick<NamedCommand, 'name' | 'options'>): string {
  return options === undefined ? '' : `Options of ${name}:\n\n${aligned(options)}\n\n`
}

/** Two columns, a line for each pair. */
function aligned(lines: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length))
  return lines.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`).join('\n')
}

/** What an operator is told: every mistake of the configuration, or the fault and what is behind it. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join('\n')
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}
