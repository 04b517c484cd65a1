import type { Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { coversRef } from './covers-ref.ts'

/** Whether a rule admits the claims of a GitHub Actions job: what `github.rego` proves, said a second time apart from it. */
export function githubAdmits(rule: Rule, claims: JsonObject): boolean {
  const { event_name: event, head_ref: headRef } = claims
  return (
    isSame(claims.repository_owner, rule.group) &&
    (rule.project === '' || isSame(claims.repository, `${rule.group}/${rule.project}`)) &&
    isOnRef(claims, rule) &&
    (!rule.protectedRefsOnly || claims.ref_protected === 'true') &&
    typeof event === 'string' &&
    rule.pipelineSources.includes(event) &&
    event !== 'workflow_run' &&
    !event.startsWith('pull_request') &&
    (headRef === undefined || headRef === '') &&
    isOneOf(claims.repository_id, rule.ids.projectIds) &&
    isOneOf(claims.repository_owner_id, rule.ids.namespaceIds) &&
    Object.entries(rule.claims).every(([name, values]) => values.some((value) => value === claims[name]))
  )
}

/** GitHub's names are of ASCII; what Unicode folds onto one is another. */
function isSame(name: JsonValue | undefined, wanted: string): boolean {
  const folded = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return typeof name === 'string' && folded(name) === folded(wanted)
}

function isOnRef({ ref, ref_type }: JsonObject, rule: Rule): boolean {
  const type = ref_type === 'branch' ? 'BRANCH' : ref_type === 'tag' ? 'TAG' : undefined
  const prefix = type === 'BRANCH' ? 'refs/heads/' : 'refs/tags/'
  if (type === undefined || typeof ref !== 'string' || !ref.startsWith(prefix)) return false
  const name = ref.slice(prefix.length)
  return name !== '' && coversRef(rule, type, name)
}

function isOneOf(value: JsonValue | undefined, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((id) => id === value)
}
