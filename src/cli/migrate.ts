import { openDatabase } from '../db/open-database.ts'
import { DONE, type ServiceCommand } from './command.ts'

/** `claimgate migrate`: the schema and nothing else. */
export const migrateCommand: ServiceCommand = {
  usage: '[--json]',
  does: "brings the database's schema up to date and ends",
  flags: { json: { type: 'boolean' } },
  async run({ config, log, flags }) {
    const applied: string[] = []
    const db = await openDatabase(config, {
      migrate: true,
      log,
      onMigrated: (names) => applied.push(...names),
    })
    await db.close()
    process.stdout.write(flags.json === true ? `${JSON.stringify({ applied })}\n` : `${describe(applied)}\n`)
    return DONE
  },
}

function describe(applied: readonly string[]): string {
  return applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`
}
