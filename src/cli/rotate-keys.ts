import { createInterface } from 'node:readline/promises'
import { recordChanges } from '../app/record-changes.ts'
import { createInsertChange } from '../change/change-store.ts'
import { systemClock } from '../clock.ts'
import { readSecrets } from '../config/secrets.ts'
import { openDatabase } from '../db/open-database.ts'
import { createDecisionIds } from '../decision/decision-id.ts'
import type { Authorship } from '../fields/authorship.ts'
import { reasonParameter } from '../http/authorship.ts'
import { signingKeyJson } from '../http/signing-key-json.ts'
import { createKeyEncryption } from '../issuance/key-encryption.ts'
import { replaceSigningKeys, rotateSigningKey } from '../issuance/rotate-signing-keys.ts'
import type { StoredSigningKey } from '../issuance/signing-key.ts'
import { openSigningKeys } from '../issuance/signing-keys.ts'
import { type CommandContext, DONE, type ServiceCommand } from './command.ts'
import { readFlags } from './read-flags.ts'

/** `claimgate keys rotate`: the next signing key, by the database alone: instances that run hear of it there. */
export const rotateKeysCommand: ServiceCommand = {
  usage: '[--immediately [--yes]] [--reason REASON] [--json]',
  does: 'publishes the next signing key, which signs once every service knows it',
  options: [
    ['--immediately', 'for emergencies: a new key signs at once; those before it are gone, and their tokens'],
    ['--yes', 'with --immediately, where nobody can be asked'],
    ['--reason REASON', 'why, for those who read the changes later'],
    ['--json', 'the key as JSON'],
  ],
  flags: {
    immediately: { type: 'boolean' },
    yes: { type: 'boolean' },
    reason: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(context) {
    const { flags } = context
    const immediately = flags.immediately === true
    const { reason } = readFlags({ reason: reasonParameter }, flags)
    if (immediately && flags.yes !== true) await askWhetherMeant()
    // Whoever may run commands on the service's database: who that is, is known outside.
    const key = await rotate(context, immediately, { author: 'operator', reason })
    process.stdout.write(flags.json === true ? `${JSON.stringify(signingKeyJson(key))}\n` : describe(key))
    return DONE
  },
}

async function rotate(
  { config, log }: CommandContext,
  immediately: boolean,
  authorship: Authorship,
): Promise<StoredSigningKey> {
  const db = await openDatabase(config, { migrate: false, log })
  try {
    const encryption = createKeyEncryption(readSecrets(config).keyEncryptionKeys)
    const records = recordChanges(createInsertChange(createDecisionIds()))
    const deps = { ...config, ...records, db, encryption, clock: systemClock, log }
    // Also where the keys before it cannot be opened any more.
    if (immediately) return await replaceSigningKeys(deps, authorship)
    await using keys = await openSigningKeys(deps)
    await keys.check()
    return await rotateSigningKey(deps, authorship)
  } finally {
    await db.close()
  }
}

async function askWhetherMeant(): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Error(
      '--immediately ends every access token that is in use: say --yes as well if that is meant.',
    )
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question('This ends every access token that is in use. Go on? (yes/no) ')
  terminal.close()
  if (answer.trim() !== 'yes') throw new Error('Nothing was changed.')
}

function describe({ kid, state, activateTime }: StoredSigningKey): string {
  return state === 'ACTIVE'
    ? `${kid} signs now. The keys before it are gone, and so are their tokens.\n`
    : `${kid} is published, and signs from ${activateTime?.toISOString()} on: an instance that runs sees to it.\n`
}
