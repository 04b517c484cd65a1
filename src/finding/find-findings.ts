import type { Membership } from '../access/iam-policy.ts'
import type { Rule } from '../identity/rule.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { Provider } from '../provider/provider.ts'
import { PROVIDERS } from '../provider/providers.ts'
import { FINDING_GRADES, type Finding, type FindingCode } from './finding.ts'
import { capitalised, type RuleReach, reachOf } from './rule-reach.ts'

export type FindingContext = {
  /** The project that the identity belongs to; null where that is the workspace. */
  readonly projectId: string | null
  /** The roles that it has in projects beside those of its rules. */
  readonly memberships: readonly Membership[]
  /** Roles that can change what claimgate itself lets in. */
  readonly administrativeRoles: readonly string[]
  /** The audience that is ours alone. */
  readonly publicUrl: string
}

/** An access token is good for this long without anybody asking again; most jobs end sooner. */
const LONG_LIFETIME_SECONDS = 1800

/** Something to look for: whether it is so, whom that lets in, and the change that would end it. */
type Check = readonly [isSo: boolean, code: FindingCode, message: string, change: string]

const ORDER = ['CRITICAL', 'WARNING', 'NOTE'] as const

/** What an identity lets in that its author may not mean to: what is worst first, then by its rules. */
export function findFindings(spec: WorkloadIdentitySpec, context: FindingContext): readonly Finding[] {
  const provider: Provider = PROVIDERS[spec.workloadIdentityConfig.providerType]
  const rules = spec.workloadIdentityConfig.rules.filter(({ disabled }) => !disabled)
  const found = [
    ...rules.flatMap((rule) => {
      const reach = reachOf(rule, provider)
      const checks = [
        ...breadth(rule, reach, provider),
        ...gifts(rule, reach, provider, context),
        ...memberships(rule, reach, provider, context),
        ...starters(rule, reach, provider),
        ...foreignWorkflows(rule, provider),
      ]
      return findingsOf(checks, rule)
    }),
    ...findingsOf(identityChecks(spec, provider, context)),
  ]
  return ORDER.flatMap((grade) => found.filter((finding) => finding.grade === grade))
}

function findingsOf(checks: readonly Check[], rule?: Rule): readonly Finding[] {
  const about = rule === undefined ? {} : { rule: rule.id }
  return checks
    .filter(([isSo]) => isSo)
    .map(([, code, message, change]) => ({ code, grade: FINDING_GRADES[code], ...about, message, change }))
}

/** Where a rule's jobs may come from. */
function breadth(
  rule: Rule,
  reach: RuleReach,
  { people: terms, texts, project }: Provider,
): readonly Check[] {
  const { people, place, hasProject, hasRefs, isProtected, takesMergeRequests, takesNothingElse } = reach
  const at = `rule '${rule.id}'`
  const path = rule.project === '' ? rule.group : `${rule.group}/${rule.project}`
  return [
    [
      !hasProject && !hasRefs && !isProtected && takesMergeRequests,
      'whole_group_open',
      `${people} can get in with code that nobody has reviewed: from any ` +
        `${takesNothingElse ? '' : 'branch, any tag and any '}${terms.mergeRequest} of a project's own branches.`,
      `Set project of ${at} to the one ${terms.project} that needs it.`,
    ],
    [
      !hasProject,
      'no_project',
      `${people} can get in, also of what is made or moved there later.`,
      `Set project of ${at} to the ${terms.project} that needs it, as in "project": "${project.example}".`,
    ],
    [
      // A merge request names its source branch, which has any name.
      !hasRefs && !takesNothingElse,
      'all_refs',
      `${people} can get in from a branch or tag of any name.`,
      `Set refs of ${at} to the branches and tags that need it, as in "refs": [{"type": "BRANCH", "pattern": "main"}]` +
        `${rule.mergeRequests === 'NONE' ? '' : ', and mergeRequests to NONE'}.`,
    ],
    [
      !isProtected,
      'unprotected_refs',
      takesNothingElse
        ? `${people} can get in by a ${terms.mergeRequest} of a branch that nothing protects, without anybody's approval.`
        : `${people} can get in by pushing to a branch or tag that nothing protects, without anybody's approval.`,
      takesNothingElse
        ? `Set protectedRefsOnly of ${at} to true, where ${terms.mergeRequest}s between protected branches will do.`
        : `Set protectedRefsOnly of ${at} to true and ${texts.protectRef}.`,
    ],
    [
      takesMergeRequests,
      'merge_requests',
      `Whoever may open a ${terms.mergeRequest} from a branch of ${place} can get in before anybody has looked at it.`,
      takesNothingElse
        ? `Take ${at} out, unless code that nobody has reviewed may have what it gives: ${given(rule)}.`
        : `Set mergeRequests of ${at} to NONE.`,
    ],
    [
      !reach.isPinned,
      'no_id_pinned',
      `Whoever registers the path '${path}' anew, once it was deleted, renamed or moved, can get in.`,
      rule.project === '' && terms.groupNumber !== undefined
        ? `Set ids.namespaceIds of ${at} to ${terms.groupNumber}.`
        : `Set ids.projectIds of ${at} to ${terms.projectNumber}.`,
    ],
  ]
}

function given({ roles }: Rule): string {
  return roles.length === 0 ? 'an access token without roles' : listed(roles)
}

/** By whom a rule's jobs are started beside those who may push. */
function starters(rule: Rule, { place }: RuleReach, { names, sources }: Provider): readonly Check[] {
  const asked = Object.hasOwn(rule.claims, names.source) ? rule.claims[names.source] : undefined
  return rule.pipelineSources
    .filter((source) => asked?.includes(source) ?? true)
    .map((source) => {
      const who = Object.hasOwn(sources.startedBy, source) ? sources.startedBy[source] : undefined
      return [
        who !== undefined,
        'open_source',
        `${capitalised(who?.replace('{place}', () => place) ?? '')} can start a job that gets in, by ${source}, without the right to push.`,
        `Take ${source} out of pipelineSources of rule '${rule.id}'.`,
      ]
    })
}

const REUSABLE = /^([^/]+)\/([^/]+)\/.+@(.+)$/
const COMMIT = /^[0-9a-f]{40}$/

/** A workflow that another owner may change decides what the job does; one of a certain commit nobody changes. */
function foreignWorkflows(rule: Rule, { reusable }: Provider): readonly Check[] {
  if (reusable === undefined || Object.hasOwn(rule.claims, reusable.commit)) return []
  const asked = Object.hasOwn(rule.claims, reusable.workflow) ? rule.claims[reusable.workflow] : undefined
  return (asked ?? []).map((value) => {
    const [, owner = '', repository = '', ref = ''] = REUSABLE.exec(value) ?? []
    return [
      owner !== '' && owner.toLowerCase() !== rule.group.toLowerCase() && !COMMIT.test(ref),
      'foreign_workflow',
      `Whoever may change '${ref}' of '${owner}/${repository}', which is not of '${rule.group}', decides what jobs do that get in.`,
      `Have the jobs call that workflow by a commit, and set ${reusable.commit} among the claims of rule '${rule.id}' to it.`,
    ]
  })
}

/** What a rule's jobs are given. */
function gifts(
  rule: Rule,
  { people, place, takesMergeRequests, takesNothingElse }: RuleReach,
  { people: terms }: Provider,
  { projectId, administrativeRoles }: FindingContext,
): readonly Check[] {
  const at = `rule '${rule.id}'`
  const administrative = rule.roles.filter((role) => administrativeRoles.includes(role))
  return [
    [
      projectId !== null && takesMergeRequests && rule.roles.length > 0,
      'merge_request_membership',
      `Whoever may open a ${terms.mergeRequest} from a branch of ${place} can get ${listed(rule.roles)} in ` +
        `projects/${projectId}, before anybody has looked at it.`,
      takesNothingElse
        ? `Take the roles of ${at} out, and give them by a rule with refs.`
        : `Set mergeRequests of ${at} to NONE, or take its roles out and give them by a rule with refs.`,
    ],
    [
      administrative.length > 0,
      'administrative_role',
      `${people} can get ${listed(administrative)} in ` +
        `${projectId === null ? 'the whole workspace' : `projects/${projectId}`}, and with it change who is let in.`,
      `Take ${listed(administrative)} out of roles of ${at}.`,
    ],
  ]
}

/** What its identity is given in projects, as far as a job of this rule has it. */
function memberships(
  rule: Rule,
  { people, place, takesMergeRequests, takesNothingElse }: RuleReach,
  { people: terms }: Provider,
  context: FindingContext,
): readonly Check[] {
  const reached = context.memberships.filter((each) => each.rule === '' || each.rule === rule.id)
  const administrative = reached.filter(({ role }) => context.administrativeRoles.includes(role))
  return [
    [
      takesMergeRequests && reached.length > 0,
      'merge_request_membership',
      `Whoever may open a ${terms.mergeRequest} from a branch of ${place} can get ${listedIn(reached)}, ` +
        'before anybody has looked at it.',
      takesNothingElse
        ? 'Have a rule with refs be the member: workloadIdentity:EMAIL#RULE.'
        : `Set mergeRequests of rule '${rule.id}' to NONE, or make a rule with refs the member: workloadIdentity:EMAIL#RULE.`,
    ],
    [
      administrative.length > 0,
      'administrative_role',
      `${people} can get ${listedIn(administrative)}, and with it change who is let in there.`,
      'Take the identity out of the members of this role, or make a rule that fewer can meet the member.',
    ],
  ]
}

function identityChecks(
  spec: WorkloadIdentitySpec,
  { people: { isOwnAudience } }: Provider,
  { publicUrl }: FindingContext,
): readonly Check[] {
  const { workloadIdentityConfig: config, tokenLifetimeSeconds: seconds } = spec
  const shared = config.allowedAudiences.filter((audience) =>
    isShared(audience, config.issuerUrl, isOwnAudience),
  )
  return [
    [
      shared.length > 0,
      'shared_audience',
      `Whoever runs another service that jobs send tokens for ${listed(shared)} to can get in with these tokens: ` +
        'every job on the provider can ask for this audience, and many services do.',
      `Have the jobs ask for aud '${publicUrl}' and set allowedAudiences to ["${publicUrl}"].`,
    ],
    [
      seconds > LONG_LIFETIME_SECONDS,
      'long_lifetime',
      `Whoever gets hold of an access token of one of its jobs can use it for ${Math.round(seconds / 60)} minutes, ` +
        'also when the job is long over.',
      `Set tokenLifetimeSeconds to the time that the jobs need, as in ${LONG_LIFETIME_SECONDS / 2}.`,
    ],
    [
      spec.subjectTokenUse === 'MANY',
      'reusable_token',
      "Whoever gets hold of a job's token can exchange it too, as often as they like, until it expires.",
      'Set subjectTokenUse to ONCE.',
    ],
  ]
}

/** What jobs are told to ask for by widely used services, on every provider. */
const SERVICE_AUDIENCES: readonly string[] = ['sigstore', 'sts.amazonaws.com', 'api://AzureADTokenExchange']

/** Whether jobs ask for this audience to go elsewhere, so that others hold such tokens too. */
function isShared(
  audience: string,
  issuerUrl: string,
  isOwnAudience: Provider['people']['isOwnAudience'],
): boolean {
  const folded = (url: string) => url.toLowerCase().replace(/\/$/, '')
  return (
    SERVICE_AUDIENCES.includes(audience) ||
    isOwnAudience(audience, issuerUrl) ||
    folded(audience) === folded(issuerUrl)
  )
}

const MAX_SHOWN = 3 // an identity may be a member of ten thousand projects

function listedIn(given: readonly Membership[]): string {
  const shown = given.slice(0, MAX_SHOWN).map(({ role, projectId }) => `'${role}' in projects/${projectId}`)
  const more = given.length > MAX_SHOWN ? ` and ${given.length - MAX_SHOWN} more roles` : ''
  return `${shown.join(', ')}${more}`
}

function listed(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(', ')
}
