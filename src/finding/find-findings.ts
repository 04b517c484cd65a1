import type { Rule } from '../identity/rule.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { Provider } from '../provider/provider.ts'
import { PROVIDERS } from '../provider/providers.ts'
import { FINDING_GRADES, type Finding, type FindingCode } from './finding.ts'
import { type RuleReach, reachOf } from './rule-reach.ts'
import { isSharedAudience } from './shared-audience.ts'

export type FindingContext = {
  /** The project that the identity belongs to; null where that is the workspace. */
  readonly projectId: string | null
  /** Roles that can change what claimgate itself lets in. */
  readonly administrativeRoles: readonly string[]
  /** The audience that is ours alone. */
  readonly publicUrl: string
}

/** An access token is good for this long without anybody asking again; most jobs end sooner. */
const LONG_LIFETIME_SECONDS = 1800

/** What an identity lets in that its author may not mean to: what is worst first, then by its rules. */
export function findFindings(spec: WorkloadIdentitySpec, context: FindingContext): readonly Finding[] {
  const provider = PROVIDERS[spec.workloadIdentityConfig.providerType]
  const rules = spec.workloadIdentityConfig.rules.filter(({ disabled }) => !disabled)
  const found = [
    ...rules.flatMap((rule) => ruleFindings(rule, reachOf(rule, provider), provider, context)),
    ...identityFindings(spec, provider, context),
  ]
  return ORDER.flatMap((grade) => found.filter((finding) => finding.grade === grade))
}

const ORDER = ['CRITICAL', 'WARNING', 'NOTE'] as const

function ruleFindings(
  rule: Rule,
  reach: RuleReach,
  provider: Provider,
  context: FindingContext,
): readonly Finding[] {
  return [
    ...breadth(rule, reach, provider),
    ...whatItGives(rule, reach, provider, context),
    ...(reach.takesMergeRequests ? [mergeRequests(rule, reach, provider)] : []),
    ...(reach.isPinned ? [] : [notPinned(rule, provider)]),
  ]
}

function breadth(rule: Rule, reach: RuleReach, provider: Provider): readonly Finding[] {
  const at = named(rule)
  const isWide = !reach.hasProject && !reach.hasRefs && !reach.isProtected && reach.takesMergeRequests
  return [
    ...(isWide
      ? [
          of('whole_group_open', rule)(
            `${reach.people} can get in with code that nobody has reviewed: from any branch, any tag and any ` +
              `${provider.words.mergeRequest} of a project's own branches.`,
            `Set project of ${at} to the one ${provider.words.project} that needs it.`,
          ),
        ]
      : []),
    ...(reach.hasProject
      ? []
      : [
          of('no_project', rule)(
            `${reach.people} can get in, of ${madeLater(provider)} that are made later too.`,
            `Set project of ${at} to the ${provider.words.project} that needs it, as in "project": "${provider.project.example}".`,
          ),
        ]),
    ...(reach.hasRefs
      ? []
      : [
          of('all_refs', rule)(
            `${reach.people} can get in from a branch or tag of any name.`,
            `Set refs of ${at} to the branches and tags that need it, as in "refs": [{"type": "BRANCH", "pattern": "main"}].`,
          ),
        ]),
    ...(reach.isProtected
      ? []
      : [
          of('unprotected_refs', rule)(
            `${reach.people} can get in by pushing to a branch or tag that nothing protects, without anybody's approval.`,
            `Set protectedRefsOnly of ${at} to true and ${provider.texts.protectRef}.`,
          ),
        ]),
  ]
}

function whatItGives(
  rule: Rule,
  { people, place, takesMergeRequests }: RuleReach,
  provider: Provider,
  { projectId, administrativeRoles }: FindingContext,
): readonly Finding[] {
  const at = named(rule)
  const administrative = rule.roles.filter((role) => administrativeRoles.includes(role))
  const where = projectId === null ? 'the whole workspace' : `projects/${projectId}`
  return [
    ...(projectId !== null && takesMergeRequests && rule.roles.length > 0
      ? [
          of('merge_request_membership', rule)(
            `Whoever may open a ${provider.words.mergeRequest} from a branch of ${place} can get ${listed(rule.roles)} in ` +
              `projects/${projectId}, before anybody has looked at it.`,
            `Set mergeRequests of ${at} to NONE, or take its roles out and give them by a rule with refs.`,
          ),
        ]
      : []),
    ...(administrative.length > 0
      ? [
          of('administrative_role', rule)(
            `${people} can get ${listed(administrative)} in ${where}, and with it change who is let in.`,
            `Take ${listed(administrative)} out of roles of ${at}.`,
          ),
        ]
      : []),
  ]
}

function mergeRequests(rule: Rule, { place }: RuleReach, provider: Provider): Finding {
  return of('merge_requests', rule)(
    `Whoever may open a ${provider.words.mergeRequest} from a branch of ${place} can get in before anybody has looked at it.`,
    `Set mergeRequests of ${named(rule)} to NONE.`,
  )
}

function notPinned(rule: Rule, { words }: Provider): Finding {
  const { group, project } = rule
  const path = project === '' ? group : `${group}/${project}`
  return of('no_id_pinned', rule)(
    `Whoever registers the path '${path}' anew, once it was deleted, renamed or moved, can get in.`,
    project === '' && words.groupNumber !== undefined
      ? `Set ids.namespaceIds of ${named(rule)} to ${words.groupNumber}.`
      : `Set ids.projectIds of ${named(rule)} to ${words.projectNumber}.`,
  )
}

function madeLater({ group, words }: Provider): string {
  return group.isNested ? `${words.projects} and groups` : words.projects
}

function identityFindings(
  spec: WorkloadIdentitySpec,
  provider: Provider,
  { publicUrl }: FindingContext,
): readonly Finding[] {
  const { workloadIdentityConfig: config, tokenLifetimeSeconds: seconds } = spec
  const shared = config.allowedAudiences.filter((audience) =>
    isSharedAudience(audience, config.issuerUrl, provider),
  )
  return [
    ...(shared.length > 0
      ? [
          of('shared_audience')(
            `Whoever runs another service that jobs send tokens for ${listed(shared)} to can get in with these tokens: ` +
              'every job on the provider can ask for this audience, and many services do.',
            `Have the jobs ask for aud '${publicUrl}' and set allowedAudiences to ["${publicUrl}"].`,
          ),
        ]
      : []),
    ...(seconds > LONG_LIFETIME_SECONDS
      ? [
          of('long_lifetime')(
            `Whoever gets hold of an access token of one of its jobs can use it for ${Math.round(seconds / 60)} minutes, ` +
              'also when the job is long over.',
            `Set tokenLifetimeSeconds to the time that the jobs need, as in ${LONG_LIFETIME_SECONDS / 2}.`,
          ),
        ]
      : []),
    ...(spec.subjectTokenUse === 'MANY'
      ? [
          of('reusable_token')(
            "Whoever gets hold of a job's token can exchange it too, as often as they like, until it expires.",
            'Set subjectTokenUse to ONCE.',
          ),
        ]
      : []),
  ]
}

function of(code: FindingCode, rule?: Rule): (message: string, change: string) => Finding {
  const about = rule === undefined ? {} : { rule: rule.id }
  return (message, change) => ({ code, grade: FINDING_GRADES[code], ...about, message, change })
}

function named({ id }: Rule): string {
  return `rule '${id}'`
}

function listed(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(', ')
}
