import { writeFileSync } from 'node:fs'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { makePlan } from './make-plan.ts'
import { openPolicyFolder } from './open-folder.ts'
import { writtenPlan } from './plan-file.ts'
import { CLIENT_FLAGS, CLIENT_OPTIONS, createServiceClient } from './service-client.ts'
import { describePlan } from './show-plan.ts'

/** `claimgate plan`: what the files of a folder would change in a service; changes nothing. */
export const planCommand: ClientCommand = {
  usage: 'FOLDER --url URL [OPTIONS]',
  does: 'says what the identities and guardrails of a folder would change in a service; changes nothing',
  options: [
    ...CLIENT_OPTIONS,
    ['--prune', 'also delete all identities that have no file in the folder'],
    ['--days N', 'of how many days the decisions are looked at for its impact: 30, or 0 for none'],
    ['--output FILE', 'writes the plan, for apply --plan FILE'],
    ['--json', 'the plan as JSON'],
  ],
  flags: {
    ...CLIENT_FLAGS,
    prune: { type: 'boolean' },
    days: { type: 'string' },
    output: { type: 'string' },
    json: { type: 'boolean' },
  },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [folder = ''] }) {
    const client = createServiceClient(config, flags)
    const opened = openPolicyFolder(config, folder)
    const options = { prune: flags.prune === true, days: readDays(flags.days) }
    const { changes, guardrails, unchanged } = await makePlan(client, opened, options)
    if (typeof flags.output === 'string')
      writeFileSync(flags.output, writtenPlan({ url: client.url, changes, guardrails }))
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ url: client.url, changes, guardrails, unchanged })}\n`
        : describePlan({ changes, guardrails }, unchanged),
    )
    return changes.length === 0 && guardrails === undefined ? DONE : FOUND_SOMETHING
  },
}

function readDays(flag: string | boolean | undefined): number | undefined {
  if (flag === undefined) return undefined
  if (typeof flag === 'string' && /^(0|[1-9]\d{0,2})$/.test(flag)) return Number(flag)
  throw new Error('--days must be a whole number of days, or 0.')
}
