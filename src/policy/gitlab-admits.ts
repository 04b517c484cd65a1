import type { Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { coversRef } from './covers-ref.ts'

/**
 * Whether a rule admits the claims of a GitLab job: what `gitlab.rego` proves, said a second time and apart from it, so
 * that a policy can be held to its rules by something other than itself.
 */
export function gitlabAdmits(rule: Rule, claims: JsonObject): boolean {
  return (
    isInGroup(claims, rule) &&
    isOfProject(claims, rule) &&
    isOnRef(claims, rule) &&
    (!rule.protectedRefsOnly || claims.ref_protected === 'true') &&
    startsAsAllowed(claims, rule) &&
    runsInOwnProject(claims) &&
    isOneOf(claims.project_id, rule.ids.projectIds) &&
    isOneOf(claims.namespace_id, rule.ids.namespaceIds) &&
    Object.entries(rule.claims).every(([name, values]) => values.some((value) => value === claims[name]))
  )
}

function isInGroup({ namespace_path: path }: JsonObject, { group }: Rule): boolean {
  if (typeof path !== 'string') return false
  const segments = folded(path).split('/')
  const wanted = folded(group).split('/')
  return !segments.includes('') && wanted.every((segment, index) => segment === segments[index])
}

function isOfProject({ project_path: path }: JsonObject, { group, project }: Rule): boolean {
  if (project === '') return true
  return typeof path === 'string' && folded(path) === folded(`${group}/${project}`)
}

/** GitLab's paths are of ASCII; what Unicode folds onto it is another path. */
function folded(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function isOnRef({ ref, ref_type, ref_path }: JsonObject, rule: Rule): boolean {
  const type = ref_type === 'branch' ? 'BRANCH' : ref_type === 'tag' ? 'TAG' : undefined
  if (type === undefined || typeof ref !== 'string' || ref === '') return false
  const fullName = `refs/${type === 'BRANCH' ? 'heads' : 'tags'}/${ref}`
  if (ref_path !== undefined && ref_path !== fullName) return false
  return coversRef(rule, type, ref)
}

function startsAsAllowed({ pipeline_source: source, ref_protected }: JsonObject, rule: Rule): boolean {
  if (typeof source !== 'string') return false
  const takesMergeRequests = rule.mergeRequests === 'SAME_PROJECT'
  if (source === 'merge_request_event') return takesMergeRequests
  if (!rule.pipelineSources.includes(source)) return false
  return source !== 'parent_pipeline' || takesMergeRequests || ref_protected === 'true'
}

const SOURCES_WITHOUT_FORKS: readonly JsonValue[] = ['push', 'web', 'schedule', 'api', 'chat', 'webide']

function runsInOwnProject({
  job_project_id: runsIn,
  project_id,
  pipeline_source: source,
}: JsonObject): boolean {
  if (runsIn === undefined) return source !== undefined && SOURCES_WITHOUT_FORKS.includes(source)
  return typeof runsIn === 'string' && runsIn !== '' && runsIn === project_id
}

function isOneOf(value: JsonValue | undefined, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((id) => id === value)
}
