import type { Rule } from '../identity/rule.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import { FINDING_GRADES, type Finding, type FindingCode } from './finding.ts'
import { PROVIDER_TERMS, type ProviderTerms } from './provider-terms.ts'
import { type RuleReach, reachOf } from './rule-reach.ts'

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
  const terms = PROVIDER_TERMS[spec.workloadIdentityConfig.providerType]
  const rules = spec.workloadIdentityConfig.rules.filter(({ disabled }) => !disabled)
  const found = [
    ...rules.flatMap((rule) => ruleFindings(rule, reachOf(rule, terms), terms, context)),
    ...identityFindings(spec, terms, context),
  ]
  return ORDER.flatMap((grade) => found.filter((finding) => finding.grade === grade))
}

const ORDER = ['CRITICAL', 'WARNING', 'NOTE'] as const

function ruleFindings(
  rule: Rule,
  reach: RuleReach,
  terms: ProviderTerms,
  context: FindingContext,
): readonly Finding[] {
  return [
    ...breadth(rule, reach, terms),
    ...whatItGives(rule, reach, terms, context),
    ...(reach.takesMergeRequests ? [mergeRequests(rule, reach, terms)] : []),
    ...(reach.isPinned ? [] : [notPinned(rule, terms)]),
  ]
}

function breadth(rule: Rule, reach: RuleReach, terms: ProviderTerms): readonly Finding[] {
  const at = named(rule)
  const isWide = !reach.hasProject && !reach.hasRefs && !reach.isProtected && reach.takesMergeRequests
  return [
    ...(isWide
      ? [
          of('whole_group_open', rule)(
            `${reach.people} can get in with code that nobody has reviewed: from any branch, any tag and any ` +
              `${terms.mergeRequest} of a project's own branches.`,
            `Set project of ${at} to the one project that needs it.`,
          ),
        ]
      : []),
    ...(reach.hasProject
      ? []
      : [
          of('no_project', rule)(
            `${reach.people} can get in, of projects and ${terms.group}s that are made later too.`,
            `Set project of ${at} to the project that needs it, as in "project": "my-project".`,
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
            `Set protectedRefsOnly of ${at} to true and ${terms.howToProtect}.`,
          ),
        ]),
  ]
}

function whatItGives(
  rule: Rule,
  { people, place, takesMergeRequests }: RuleReach,
  terms: ProviderTerms,
  { projectId, administrativeRoles }: FindingContext,
): readonly Finding[] {
  const at = named(rule)
  const administrative = rule.roles.filter((role) => administrativeRoles.includes(role))
  const where = projectId === null ? 'the whole workspace' : `projects/${projectId}`
  return [
    ...(projectId !== null && takesMergeRequests && rule.roles.length > 0
      ? [
          of('merge_request_membership', rule)(
            `Whoever may open a ${terms.mergeRequest} from a branch of ${place} can get ${listed(rule.roles)} in ` +
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

function mergeRequests(rule: Rule, { place }: RuleReach, terms: ProviderTerms): Finding {
  return of('merge_requests', rule)(
    `Whoever may open a ${terms.mergeRequest} from a branch of ${place} can get in before anybody has looked at it.`,
    `Set mergeRequests of ${named(rule)} to NONE.`,
  )
}

function notPinned(rule: Rule, terms: ProviderTerms): Finding {
  const { group, project } = rule
  const path = project === '' ? group : `${group}/${project}`
  return of('no_id_pinned', rule)(
    `Whoever registers the path '${path}' anew, once it was deleted, renamed or moved, can get in.`,
    `Set ids.projectIds of ${named(rule)} to ${terms.projectNumber}.`,
  )
}

function identityFindings(
  spec: WorkloadIdentitySpec,
  terms: ProviderTerms,
  { publicUrl }: FindingContext,
): readonly Finding[] {
  const { workloadIdentityConfig: config, tokenLifetimeSeconds: seconds } = spec
  const shared = config.allowedAudiences.filter((audience) => terms.isSharedAudience(audience, config))
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
