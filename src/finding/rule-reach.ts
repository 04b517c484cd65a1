import type { Rule } from '../identity/rule.ts'
import type { Provider } from '../provider/provider.ts'

/** How far a rule reaches, whatever field it says it by. */
export type RuleReach = {
  readonly hasProject: boolean
  readonly hasRefs: boolean
  readonly isProtected: boolean
  readonly takesMergeRequests: boolean
  /** Nothing else gets in: without merge requests it could never be met. */
  readonly takesNothingElse: boolean
  readonly isPinned: boolean
  /** Where its jobs run, as it goes on after "of": `'acme/app'`, or `any project in 'acme' or a group below it`. */
  readonly place: string
  /** The people who can make a job that it lets in, as a sentence begins. */
  readonly people: string
}

/** Reads of a rule how far it reaches; its `claims` can narrow it just as its own fields do. */
export function reachOf(rule: Rule, provider: Provider): RuleReach {
  const { names, people } = provider
  const asksFor = (...claims: (string | undefined)[]) =>
    claims.some((name) => name !== undefined && Object.hasOwn(rule.claims, name))
  const isProtected = rule.protectedRefsOnly || asksOnlyFor(rule, names.refProtected, 'true')
  const place = placeOf(rule, provider)
  return {
    hasProject:
      rule.project !== '' || rule.ids.projectIds.length > 0 || asksFor(names.project, names.projectId),
    hasRefs: rule.refs.length > 0 || asksFor(names.refName, names.refPath),
    isProtected,
    takesMergeRequests: takesMergeRequests(rule, provider),
    takesNothingElse:
      takesMergeRequests(rule, provider) && asksOnlyFor(rule, names.source, provider.sources.mergeRequest),
    isPinned:
      rule.ids.projectIds.length > 0 ||
      rule.ids.namespaceIds.length > 0 ||
      asksFor(names.projectId, names.groupId),
    place,
    people: capitalised(`${isProtected ? people.maintainer : people.writer} ${place}`),
  }
}

function asksOnlyFor(rule: Rule, claim: string, wanted: string): boolean {
  const values = Object.hasOwn(rule.claims, claim) ? rule.claims[claim] : undefined
  return values?.every((value) => value === wanted) === true
}

function takesMergeRequests(rule: Rule, { names, sources }: Provider): boolean {
  if (rule.mergeRequests !== 'SAME_PROJECT') return false
  const asked = Object.hasOwn(rule.claims, names.source) ? rule.claims[names.source] : undefined
  return (
    asked === undefined || asked.some((source) => [sources.mergeRequest, sources.hidden].includes(source))
  )
}

function placeOf({ group, project, ids }: Rule, { people }: Provider): string {
  if (project !== '') return `'${group}/${project}'`
  const { projectIds } = ids
  if (projectIds.length === 1) return `${people.project} ${projectIds[0]} in '${group}'`
  if (projectIds.length > 1) return `any of ${projectIds.length} ${people.projects} in '${group}'`
  return people.anyProject.replace('{group}', () => group)
}

/** As a sentence begins. */
export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
