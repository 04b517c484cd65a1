import { styleText } from 'node:util'
import { KEY_ENCRYPTION_KEY, keptSecret } from '../config/data-dir.ts'
import type { Config } from '../config/env.ts'
import { createGuardedFetch } from '../issuer/guarded-fetch.ts'
import type { Log } from '../log.ts'
import { DONE, FOUND_SOMETHING, type ServiceCommand } from './command.ts'
import { administratorsCheck } from './doctor/check-administrators.ts'
import { checkSchema, serverChecks, tableChecks } from './doctor/check-database.ts'
import { checkIssuers } from './doctor/check-issuers.ts'
import { settingsChecks } from './doctor/check-settings.ts'
import { signingKeyChecks } from './doctor/check-signing-keys.ts'
import { type Finding, runCheck, runChecks, type Status } from './doctor/finding.ts'
import { openForLooking } from './doctor/open-for-looking.ts'

/** `claimgate doctor`: what is wrong with this set-up, and how to mend it. It changes nothing. */
export const doctorCommand: ServiceCommand = {
  usage: '[--json]',
  does: 'looks at settings, database, keys and issuers, and says what to mend; changes nothing',
  flags: { json: { type: 'boolean' } },
  async run({ config, log, flags }) {
    const findings = await examine(config, log)
    process.stdout.write(flags.json === true ? `${JSON.stringify({ findings })}\n` : describe(findings))
    return findings.every(({ status }) => status === 'ok') ? DONE : FOUND_SOMETHING
  },
}

/** What there is to say about a set-up, good or bad. */
export async function examine(config: Config, log: Log): Promise<readonly Finding[]> {
  return [...(await runChecks(settingsChecks(config, log))), ...(await lookAtDatabase(config, log))]
}

async function lookAtDatabase(config: Config, log: Log): Promise<readonly Finding[]> {
  const opened = await openForLooking(config, log)
  if (!('db' in opened)) return [{ check: 'database', ...opened }]
  const { db } = opened
  try {
    const deps = { config, log, db }
    const schema = await runCheck({ name: 'schema', look: () => checkSchema(db) })
    const findings = [...(await runChecks(serverChecks(deps))), schema]
    if (!['ok', 'warning'].includes(schema.status)) return findings
    return [
      ...findings,
      ...(await runChecks([
        ...tableChecks(deps),
        administratorsCheck(db, config),
        ...signingKeyChecks(db, keyEncryptionKeys(config), config.signingKeyRotationDays),
      ])),
      ...(await checkIssuers(db, { ...config, fetchJson: createGuardedFetch(config) })),
    ]
  } finally {
    await db.close()
  }
}

/** Those that serving would use, without making any. */
function keyEncryptionKeys({ dataDir, databaseUrl, keyEncryptionKeys }: Config): readonly Uint8Array[] {
  if (databaseUrl !== undefined || keyEncryptionKeys.length > 0) return keyEncryptionKeys
  const kept = keptSecret(dataDir, KEY_ENCRYPTION_KEY)
  return kept === undefined ? [] : [Buffer.from(kept, 'base64')]
}

const COLOURS = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  unknown: 'magenta',
} as const satisfies Record<Status, Parameters<typeof styleText>[0]>

/** A line for each finding, and one that sums up. */
function describe(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, status, message }) => {
    const shown = status === 'unknown' ? 'not seen' : status
    return `${styleText(COLOURS[status], shown.padEnd(8))}  ${check.padEnd(width)}  ${message}`
  })
  const count = (wanted: Status) => findings.filter(({ status }) => status === wanted).length
  const sum = `problems: ${count('problem')}, warnings: ${count('warning')}, not looked at: ${count('unknown')}, ok: ${count('ok')}`
  return `${[...lines, sum].join('\n')}\n`
}
