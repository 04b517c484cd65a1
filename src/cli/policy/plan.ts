import { writeFileSync } from 'node:fs'
import { type ClientCommand, DONE, FOUND_SOMETHING } from '../command.ts'
import { makePlan } from './make-plan.ts'
import { openPolicyFolder } from './open-folder.ts'
import { writtenPlan } from './plan-file.ts'
import { CLIENT_FLAGS, CLIENT_OPTIONS, createServiceClient } from './service-client.ts'
import { describePlan } from './show-plan.ts'

/** `claimgate plan`: what the files of a folder would change in a service; changes nothing. */
export const planCommand: ClientCommand = {
  name: 'plan',
  usage: 'FOLDER --url URL [OPTIONS]',
  does: 'says what the identities and guardrails of a folder would change in a service; changes nothing',
  options: [
    ...CLIENT_OPTIONS,
    ['--prune', 'also delete all identities that have no file in the folder'],
    ['--output FILE', 'writes the plan, for apply --plan FILE'],
    ['--json', 'the plan as JSON'],
  ],
  flags: {
    ...CLIENT_FLAGS,
    prune: { type: 'boolean' },
    output: { type: 'string' },
    json: { type: 'boolean' },
  },
  operands: ['FOLDER'],
  async run({ config, flags, operands: [folder = ''] }) {
    const client = createServiceClient(config, flags)
    const opened = openPolicyFolder(config, folder)
    const { changes, guardrails, unchanged } = await makePlan(client, opened, flags.prune === true)
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
