import type { FieldProblem } from '../fields/describe-issue.ts'
import { shownText } from '../fields/field-path.ts'
import { nearestName } from '../fields/nearest-name.ts'
import type { Provider } from '../provider/provider.ts'
import { PERSONAL_CLAIMS, PROVIDERS } from '../provider/providers.ts'
import { findContradictions } from './find-contradictions.ts'
import type { MatchedRule } from './match-rules.ts'
import { isKnownClaim } from './recordable-claims.ts'
import { noticeRefPattern } from './ref-pattern.ts'
import type { Rule } from './rule.ts'
import type { WorkloadIdentityConfig, WorkloadIdentitySpec } from './workload-identity.ts'
import type { WorkloadIdentityBody } from './workload-identity-schema.ts'

/** What is legal in an identity but probably not what its author expects, each with its field. */
export function noticesFor(spec: WorkloadIdentitySpec): readonly FieldProblem[] {
  const { rules, providerType } = spec.workloadIdentityConfig
  const provider = PROVIDERS[providerType]
  const asleep = rules.every(({ disabled }) => disabled)
    ? noted(['workloadIdentityConfig', 'rules'], 'every rule is disabled, so no job is admitted')
    : []
  return [
    ...asleep,
    ...audienceNotices(spec.workloadIdentityConfig, provider),
    ...rules.flatMap((rule, index) => ruleNotices(rule, index, spec.recordedClaims, provider)),
    ...conditionNotices(spec, provider),
    ...recordedClaimNotices(spec.recordedClaims),
  ]
}

/** What a change of rules did that its request did not say, each with its field. */
export function changeNotices(
  body: WorkloadIdentityBody,
  matched: readonly MatchedRule[],
  spec: WorkloadIdentitySpec,
): readonly FieldProblem[] {
  const stated = body.workloadIdentityConfig.rules
  return spec.workloadIdentityConfig.rules.flatMap((rule, index) => {
    const former = matched[index]?.former
    if (former === undefined) return []
    const at = ['workloadIdentityConfig', 'rules', index]
    const changed = DECIDED_BY_REFS.filter(
      (field) => stated[index]?.[field] === undefined && rule[field] !== former[field],
    )
    const why = rule.refs.length > 0 && former.refs.length === 0 ? ', because refs are given now' : ''
    return [
      ...noted([...at, 'id'], former.id === rule.id ? undefined : noticeNewId(rule.id, former.id)),
      ...changed.flatMap((field) =>
        noted(
          [...at, field],
          `changed from ${former[field]} to ${rule[field]}${why}; state it to decide otherwise`,
        ),
      ),
    ]
  })
}

/** The two fields whose default is another once refs are given. */
const DECIDED_BY_REFS = ['protectedRefsOnly', 'mergeRequests'] as const

function noticeNewId(id: string, formerId: string): string {
  return `is ${id} and not ${formerId}: a rule that is changed without its id is a new one; give the id to change it in place`
}

function audienceNotices(
  { allowedAudiences, issuerUrl }: WorkloadIdentityConfig,
  { texts }: Provider,
): readonly FieldProblem[] {
  if (texts.noticeAudience === undefined || !allowedAudiences.includes(issuerUrl)) return []
  return noted(
    ['workloadIdentityConfig', 'allowedAudiences'],
    `has the issuer's URL ${issuerUrl}: ${texts.noticeAudience}`,
  )
}

function ruleNotices(
  rule: Rule,
  index: number,
  recordedClaims: readonly string[],
  provider: Provider,
): readonly FieldProblem[] {
  const at = ['workloadIdentityConfig', 'rules', index]
  return [
    ...projectNotices(rule, at),
    ...rule.refs.flatMap(({ pattern }, ref) =>
      noted([...at, 'refs', ref, 'pattern'], noticeRefPattern(pattern, provider.texts.starDiffers)),
    ),
    ...rule.pipelineSources.flatMap((source, n) =>
      noted([...at, 'pipelineSources', n], noticeSource(source, provider)),
    ),
    ...Object.keys(rule.claims).flatMap((name) =>
      noted([...at, 'claims', name], noticeClaim(name, recordedClaims, provider)),
    ),
    ...findContradictions(rule, provider).flatMap(({ path, message }) => noted([...at, ...path], message)),
  ]
}

function projectNotices(rule: Rule, at: readonly PropertyKey[]): readonly FieldProblem[] {
  if (!rule.project.toLowerCase().startsWith(`${rule.group}/`.toLowerCase())) return []
  const inside = rule.project.slice(rule.group.length + 1)
  return noted(
    [...at, 'project'],
    `is relative to group, so this rule admits '${rule.group}/${rule.project}'; for '${rule.project}' write '${inside}'`,
  )
}

function noticeSource(source: string, { name, sources }: Provider): string | undefined {
  if (sources.known.includes(source)) return undefined
  return `${shownText(source)} is no pipeline source that ${name} is known to send${suggestion(source, sources.known)}`
}

function noticeClaim(
  name: string,
  recordedClaims: readonly string[],
  provider: Provider,
): string | undefined {
  const known = provider.claims.get(name)
  const shown = shownText(name)
  if (PERSONAL_CLAIMS.includes(name) && !recordedClaims.includes(name)) {
    return `${shown} is personal and dropped before rules are judged, so this can never be met: list it in recordedClaims`
  }
  if (known === undefined) {
    if (isKnownClaim(name, provider)) return undefined
    const hint = suggestion(name, [...provider.claims.keys()])
    return `${shown} is no claim that ${provider.name} is known to send${hint}; a token without it is refused`
  }
  if (known.type === 'string') return undefined
  const type = known.type === 'string or array' ? 'a list in most tokens' : typeNames[known.type]
  return `${shown} is ${type}, and only text can equal these values`
}

/** A # in a text begins no comment. */
const REGO_TEXT_OR_COMMENT = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*/g

/** A rule with nothing to ask for; what comes to as much in other words is not found. */
const MET_BY_ALL =
  /^[ \t]*met[ \t]+contains[ \t]+("[^"\n]*")(?:[ \t]+if[ \t]+(?:true|\{\s*true\s*\}))?[ \t]*$/gm

function conditionNotices(
  { workloadIdentityConfig: { conditions = '' }, recordedClaims }: WorkloadIdentitySpec,
  provider: Provider,
): readonly FieldProblem[] {
  const rego = conditions.replace(REGO_TEXT_OR_COMMENT, (part) => (part.startsWith('#') ? '' : part))
  const idle = [...rego.matchAll(MET_BY_ALL)].map(
    ([, code]) => `${code} is met by every token: say by a claim when it is, or leave it out`,
  )
  const unheard = PERSONAL_CLAIMS.filter(
    (name) =>
      provider.claims.has(name) &&
      !recordedClaims.includes(name) &&
      new RegExp(`(?:\\.|\\[\\s*["\`])${name}\\b`).test(rego),
  ).map(
    (name) =>
      `${shownText(name)} is personal and dropped before conditions are judged, so what reads it can never be met: list it in recordedClaims`,
  )
  return [...idle, ...unheard].flatMap((message) => noted(['workloadIdentityConfig', 'conditions'], message))
}

const typeNames = { number: 'a number', array: 'a list', object: 'an object' } as const

function recordedClaimNotices(recordedClaims: readonly string[]): readonly FieldProblem[] {
  return recordedClaims.flatMap((name, index) => {
    if (PERSONAL_CLAIMS.includes(name)) return []
    const hint = suggestion(name, PERSONAL_CLAIMS)
    const message = `${shownText(name)} is not personal${hint}; only personal claims need to be listed to be recorded`
    return noted(['recordedClaims', index], message)
  })
}

function suggestion(name: string, names: readonly string[]): string {
  const near = nearestName(name, names)
  return near === undefined ? '' : ` (did you mean ${shownText(near)}?)`
}

function noted(path: readonly PropertyKey[], message: string | undefined): readonly FieldProblem[] {
  return message === undefined ? [] : [{ path, message }]
}
