import type { Rule } from '../identity/rule.ts'
import type { ProviderTerms } from './provider-terms.ts'

/** How far a rule reaches, whatever field it says it by. */
export type RuleReach = {
  readonly hasProject: boolean
  readonly hasRefs: boolean
  readonly isProtected: boolean
  readonly takesMergeRequests: boolean
  readonly isPinned: boolean
  /** Where its jobs run, as it goes on after "of": `'acme/app'`, or `any project in 'acme' or a group below it`. */
  readonly place: string
  /** The people who can make a job that it lets in, as a sentence begins. */
  readonly people: string
}

/** Reads of a rule how far it reaches; its `claims` can narrow it just as its own fields do. */
export function reachOf(rule: Rule, terms: ProviderTerms): RuleReach {
  const { claims } = terms
  const asksFor = (names: readonly string[]) => names.some((name) => Object.hasOwn(rule.claims, name))
  const isProtected = rule.protectedRefsOnly || asksOnlyFor(rule, claims.protection, ['true'])
  const place = placeOf(rule, terms)
  return {
    hasProject: rule.project !== '' || rule.ids.projectIds.length > 0 || asksFor(claims.project),
    hasRefs: rule.refs.length > 0 || asksFor(claims.ref),
    isProtected,
    takesMergeRequests: takesMergeRequests(rule, terms),
    isPinned: rule.ids.projectIds.length > 0 || rule.ids.namespaceIds.length > 0 || asksFor(claims.ids),
    place,
    people: capitalised(`${isProtected ? terms.maintainer : terms.writer} of ${place}`),
  }
}

function asksOnlyFor(rule: Rule, claim: string, wanted: readonly string[]): boolean {
  const values = Object.hasOwn(rule.claims, claim) ? rule.claims[claim] : undefined
  return values?.every((value) => wanted.includes(value)) === true
}

function takesMergeRequests(rule: Rule, { claims }: ProviderTerms): boolean {
  if (rule.mergeRequests !== 'SAME_PROJECT') return false
  const sources = Object.hasOwn(rule.claims, claims.source) ? rule.claims[claims.source] : undefined
  return sources === undefined || sources.some((source) => claims.mergeRequestSources.includes(source))
}

function placeOf({ group, project, ids }: Rule, terms: ProviderTerms): string {
  if (project !== '') return `'${group}/${project}'`
  const { projectIds } = ids
  if (projectIds.length === 1) return `project ${projectIds[0]} in '${group}'`
  if (projectIds.length > 1) return `any of ${projectIds.length} projects in '${group}'`
  return `any project in '${group}' or a ${terms.group} below it`
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
