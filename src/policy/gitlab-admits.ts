import type { Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { coversRef, folded, hasNamedClaims, isOneOf, refKind } from './admits.ts'

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
    hasNamedClaims(claims, rule)
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

function isOnRef({ ref, ref_type, ref_path }: JsonObject, rule: Rule): boolean {
  const kind = refKind(ref_type)
  if (kind === undefined || typeof ref !== 'string' || ref === '') return false
  if (ref_path !== undefined && ref_path !== `${kind.prefix}${ref}`) return false
  return coversRef(rule, kind.type, ref)
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
