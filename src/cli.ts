import { parseArgs } from 'node:util'
import { COULD_NOT_RUN, type Command, DONE, type Flags } from './cli/command.ts'
import { doctorCommand } from './cli/doctor.ts'
import { exportDecisionsCommand } from './cli/export-decisions.ts'
import { migrateCommand } from './cli/migrate.ts'
import { applyCommand } from './cli/policy/apply.ts'
import { planCommand } from './cli/policy/plan.ts'
import { policyCheckCommand } from './cli/policy/policy-check.ts'
import { policyShowCommand } from './cli/policy/policy-show.ts'
import { policyTestCommand } from './cli/policy/policy-test.ts'
import { rotateKeysCommand } from './cli/rotate-keys.ts'
import { serveCommand } from './cli/serve.ts'
import { verifyDecisionsCommand } from './cli/verify-decisions.ts'
import { ConfigError, readClientConfig, readConfig } from './config/env.ts'
import { createLog } from './log.ts'
import { hasPrimary, leavePrimary } from './workers/primary-link.ts'

const COMMANDS: readonly Command[] = [
  serveCommand,
  migrateCommand,
  doctorCommand,
  exportDecisionsCommand,
  verifyDecisionsCommand,
  rotateKeysCommand,
  policyCheckCommand,
  policyTestCommand,
  policyShowCommand,
  planCommand,
  applyCommand,
]

const USAGE = `Usage: claimgate COMMAND

${aligned(COMMANDS.map(({ name, usage, does }) => [`${name} ${usage}`, does]))}

${COMMANDS.map(optionsOf).join('')}Settings are environment variables: see README.md.
`

/** Runs one command; returns the process's exit code. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (args[0] === 'help' || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE)
    return DONE
  }
  const asked = readArguments(args)
  if (typeof asked === 'string') {
    process.stderr.write(asked)
    return COULD_NOT_RUN
  }
  const { command, flags, operands } = asked
  try {
    if ('operands' in command) return await command.run({ config: readClientConfig(env), flags, operands })
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

/** The command and its flags, or what to tell whoever asked for something else. */
function readArguments(
  args: readonly string[],
): { command: Command; flags: Flags; operands: readonly string[] } | string {
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, index) => args[index] === word))
  if (command === undefined) {
    const given = args.filter((word) => !word.startsWith('-')).join(' ')
    return given === '' ? USAGE : `There is no command '${given}'.\n\n${USAGE}`
  }
  try {
    const rest = args.slice(command.name.split(' ').length)
    const wanted = 'operands' in command ? command.operands : []
    const { values, positionals } = parseArgs({
      args: rest,
      options: command.flags,
      allowPositionals: wanted.length > 0,
    })
    const needed = wanted.filter((operand) => !operand.startsWith('[')).length
    if (positionals.length >= needed && positionals.length <= wanted.length)
      return { command, flags: { ...values } as Flags, operands: positionals }
    return `${command.name} needs ${wanted.join(' and ')}, and nothing else beside its options.\n\n${USAGE}`
  } catch (error) {
    return `${(error as Error).message}\n\n${USAGE}`
  }
}

function optionsOf({ name, options }: Command): string {
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
