import { showFileProblem } from '../../policy-file/file-problem.ts'
import {
  type ClientCommand,
  type ClientContext,
  COULD_NOT_RUN,
  DONE,
  type Flags,
  FOUND_SOMETHING,
} from '../command.ts'
import { createProgressBar } from '../progress-bar.ts'
import { AT_ONCE, type MadePlan, makePlan } from './make-plan.ts'
import { openPolicyFolder } from './open-folder.ts'
import { type Changes, readPlan } from './plan-file.ts'
import {
  CLIENT_FLAGS,
  CLIENT_OPTIONS,
  createServiceClient,
  type ServiceClient,
  ServiceError,
} from './service-client.ts'
import { describePlan } from './show-plan.ts'

/** `claimgate apply`: makes a service what the files of a folder say, or what a plan says that was made of them. */
export const applyCommand: ClientCommand = {
  usage: '(FOLDER | --plan FILE) --url URL [OPTIONS]',
  does: 'makes these changes in a service, all or none; refused where it is not what was planned for',
  options: [
    ...CLIENT_OPTIONS,
    ['--plan FILE', 'applies this plan of plan --output, in place of one made now'],
    ['--prune', 'also deletes all identities that have no file in the folder'],
    ['--reason REASON', 'why, for those who read the versions of these identities later'],
    [
      '--acknowledge REASON',
      'why their findings may be, which is recorded: applies what BLOCK_FINDINGS refuses',
    ],
    ['--json', 'what was changed as JSON'],
  ],
  flags: {
    ...CLIENT_FLAGS,
    plan: { type: 'string' },
    prune: { type: 'boolean' },
    reason: { type: 'string' },
    acknowledge: { type: 'string' },
    json: { type: 'boolean' },
  },
  operands: ['[FOLDER]'],
  async run(context) {
    const client = createServiceClient(context.config, context.flags)
    const { unchanged, fileOf, ...planned } = await plannedChanges(client, context)
    if (planned.changes.length > 0 || planned.guardrails !== undefined) {
      const refusal = await apply(client, planned, pathWith(context.flags))
      if (refusal !== undefined) {
        const blocked = blockedFindings(refusal, planned.changes, fileOf)
        process.stderr.write(`${[inFlags(refusal.message), ...blocked].join('\n')}\n`)
        return refusal.status === CONFLICT || blocked.length > 0 ? FOUND_SOMETHING : COULD_NOT_RUN
      }
    }
    const shown =
      context.flags.json === true ? `${JSON.stringify(planned)}\n` : describeApplied(planned, unchanged)
    process.stdout.write(shown)
    return DONE
  },
}

/** Both reasons are parameters, as those of every save are. */
function pathWith(flags: Flags): string {
  const query = new URLSearchParams()
  for (const name of ['reason', 'acknowledge']) {
    const given = flags[name]
    if (typeof given === 'string') query.set(name, given)
  }
  return `/v1/workspaces/default:applyPolicies${query.size === 0 ? '' : `?${query}`}`
}

/** The service speaks of its parameters, which are flags here. */
function inFlags(message: string): string {
  return message.replaceAll('in the parameter acknowledge', 'by --acknowledge REASON')
}

/** The service is not what the plan was made for. */
const CONFLICT = 409

async function plannedChanges(
  client: ServiceClient,
  { config, flags, operands: [folder] }: ClientContext,
): Promise<MadePlan> {
  if ((folder === undefined) === (flags.plan === undefined)) throw new Error('Give a FOLDER, or --plan FILE.')
  if (folder !== undefined)
    return makePlan(client, openPolicyFolder(config, folder), { prune: flags.prune === true, days: 0 })
  if (flags.prune === true)
    throw new Error('--prune goes with a FOLDER: a plan says already what is deleted.')
  const plan = readPlan(String(flags.plan))
  if (plan.url === client.url) {
    return { changes: plan.changes, guardrails: plan.guardrails, unchanged: 0, fileOf: () => undefined }
  }
  throw new Error(`This plan was made for ${plan.url}, not for ${client.url}.`)
}

type BlockedFinding = {
  readonly email: string
  readonly rule?: string
  readonly code: string
  readonly grade: string
  readonly message: string
  readonly change: string
}

/** The findings that BLOCK_FINDINGS refuses, each where the folder has what it is about. */
function blockedFindings(
  { details }: ServiceError,
  changes: Changes['changes'],
  fileOf: MadePlan['fileOf'],
): readonly string[] {
  const [first] = details as readonly [{ readonly findings?: readonly BlockedFinding[] }?]
  return (first?.findings ?? []).map(({ email, rule, code, grade, message, change }) => {
    const text = `${grade.toLowerCase()} ${code}: ${message} ${change}`
    const file = fileOf(email)
    if (file === undefined) return `${email}${rule === undefined ? '' : ` (${rule})`}: ${text}`
    const config = changes.find((each) => each.email === email)?.after?.workloadIdentityConfig
    const { rules = [] } = (config ?? {}) as { readonly rules?: readonly { readonly id: string }[] }
    const index = rules.findIndex(({ id }) => id === rule)
    const path = index < 0 ? [] : ['workloadIdentityConfig', 'rules', index]
    return showFileProblem(file.problemAt(path, text))
  })
}

/** Undefined where all changes were made. */
async function apply(
  client: ServiceClient,
  { changes, guardrails }: Changes,
  path: string,
): Promise<ServiceError | undefined> {
  const wanted = changes.map(({ action, email, etag, after }) => ({
    action,
    email,
    etag,
    workloadIdentity: after,
  }))
  const beside = guardrails && { guardrails: { ...guardrails.after, etag: guardrails.etag } }
  const progress = createProgressBar(process.stderr)
  try {
    // Compiled a few at a time, lest the answer be waited for too long; then the apply itself finds it all done.
    for (let from = 0; from < wanted.length && wanted.length > AT_ONCE; from += AT_ONCE) {
      const some = wanted.slice(from, from + AT_ONCE)
      await client.post(path, { changes: some, ...beside, validateOnly: true })
      progress.show(`${from + some.length} changes checked`, (from + some.length) / wanted.length)
    }
    await client.post(path, { changes: wanted, ...beside })
    return undefined
  } catch (error) {
    if (error instanceof ServiceError) return error
    throw error
  } finally {
    progress.end()
  }
}

function describeApplied(planned: Changes, unchanged: number): string {
  // What it would have been refused for is acknowledged by now.
  const changes = planned.changes.map((change) => ({
    ...change,
    findings: change.findings.map((finding) => ({ ...finding, isBlocking: false })),
  }))
  const isNothing = planned.changes.length === 0 && planned.guardrails === undefined
  return `${describePlan({ ...planned, changes }, unchanged)}${isNothing ? 'There was nothing to do.' : 'Done.'}\n`
}
