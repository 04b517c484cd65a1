import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import { coversRef, folded, hasNamedClaims, isOneOf, refKind } from './admits.ts'

/**
 * Whether a rule admits the claims of a GitHub Actions job: what `github.rego` proves, said a second time and apart from
 * it, as it is for GitLab.
 */
export function githubAdmits(rule: Rule, claims: JsonObject): boolean {
  return (
    isSamePath(claims.repository_owner, rule.group) &&
    (rule.project === '' || isSamePath(claims.repository, `${rule.group}/${rule.project}`)) &&
    isOnRef(claims, rule) &&
    (!rule.protectedRefsOnly || claims.ref_protected === 'true') &&
    startsAsAllowed(claims, rule) &&
    isOneOf(claims.repository_id, rule.ids.projectIds) &&
    isOneOf(claims.repository_owner_id, rule.ids.namespaceIds) &&
    hasNamedClaims(claims, rule)
  )
}

function isSamePath(path: unknown, wanted: string): boolean {
  return typeof path === 'string' && folded(path) === folded(wanted)
}

/** The name alone is in no claim, only behind what its kind begins with. */
function isOnRef({ ref, ref_type }: JsonObject, rule: Rule): boolean {
  const kind = refKind(ref_type)
  if (kind === undefined || typeof ref !== 'string' || !ref.startsWith(kind.prefix)) return false
  const name = ref.slice(kind.prefix.length)
  return name !== '' && coversRef(rule, kind.type, name)
}

/** No event of pull requests and none that may follow one, whatever the rule lists. */
function startsAsAllowed({ event_name: event, head_ref }: JsonObject, { pipelineSources }: Rule): boolean {
  if (typeof event !== 'string' || !pipelineSources.includes(event)) return false
  if (event === 'workflow_run' || event.startsWith('pull_request')) return false
  return head_ref === undefined || head_ref === ''
}
