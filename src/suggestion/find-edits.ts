import type { RefPattern, Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import type { Provider } from '../provider/provider.ts'
import type { SuggestionCode } from './suggestion.ts'

/** A change that would narrow a rule, with what speaks for it as a sentence goes on after "each of them". */
export type Edit = {
  readonly code: SuggestionCode
  readonly fields: readonly string[]
  readonly because: string
  readonly apply: (rule: Rule) => Rule
}

/** The claims that edits of these rules are made from, and that decide whether a rule admits a token. */
export function claimsThatCount(rules: readonly Rule[], provider: Provider): readonly string[] {
  const checked = [...provider.claims].filter(([, { file, type }]) => file === 'checked' && type === 'string')
  const named = rules.flatMap(({ claims }) => Object.keys(claims))
  return [...new Set([...checked.map(([name]) => name), ...provider.jobClaims, ...named])]
}

/** What all of these claims have in common and the rule does not ask for, each as a change of its own. */
export function findEdits(
  rule: Rule,
  provider: Provider,
  evidence: readonly JsonObject[],
  admits: (rule: Rule, claims: JsonObject) => boolean,
): readonly Edit[] {
  const only = (name: string) => constantOf(evidence, name)
  return [
    ...projectEdits(rule, provider, only),
    ...refEdits(rule, provider, only),
    ...listedRefEdits(rule, evidence, admits),
    ...startEdits(rule, provider, only, evidence),
    ...idEdits(rule, provider, only),
    ...claimEdits(rule, provider, only),
  ]
}

/** The text that a claim has in all of them. */
type Only = (name: string) => string | undefined

function constantOf(evidence: readonly JsonObject[], name: string): string | undefined {
  const value = evidence[0]?.[name]
  if (typeof value !== 'string' || value === '') return undefined
  return evidence.every((claims) => claims[name] === value) ? value : undefined
}

function projectEdits(rule: Rule, { names }: Provider, only: Only): readonly Edit[] {
  const path = only(names.project)
  if (rule.project !== '' || path === undefined || asksFor(rule, names.project)) return []
  if (!path.toLowerCase().startsWith(`${rule.group.toLowerCase()}/`)) return []
  const project = path.slice(rule.group.length + 1)
  return [edit('one_project', ['project'], has(names.project, path), (to) => ({ ...to, project }))]
}

function refEdits(rule: Rule, { names }: Provider, only: Only): readonly Edit[] {
  const edits: Edit[] = []
  if (!rule.protectedRefsOnly && !asksFor(rule, names.refProtected) && only(names.refProtected) === 'true') {
    const because = has(names.refProtected, 'true')
    edits.push(
      edit('protected_refs', ['protectedRefsOnly'], because, (to) => ({ ...to, protectedRefsOnly: true })),
    )
  }
  const ref = onlyRef(names, only)
  if (rule.refs.length > 0 || ref === undefined || asksFor(rule, names.refName, names.refPath)) return edits
  // A merge request's token names its source branch, so a rule has refs or takes merge requests.
  const fields = rule.mergeRequests === 'NONE' ? ['refs'] : ['refs', 'mergeRequests']
  const because = `came from the ${ref.type === 'BRANCH' ? 'branch' : 'tag'} '${ref.pattern}'`
  const narrowed = { refs: [ref], mergeRequests: 'NONE' } as const
  return [...edits, edit('one_ref', fields, because, (to) => ({ ...to, ...narrowed }))]
}

/** One of several that a rule lists and that covers all; one without a star where there are more. */
function listedRefEdits(
  rule: Rule,
  evidence: readonly JsonObject[],
  admits: (rule: Rule, claims: JsonObject) => boolean,
): readonly Edit[] {
  if (rule.refs.length < 2) return []
  const covering = rule.refs.filter((ref) =>
    evidence.every((claims) => admits({ ...rule, refs: [ref] }, claims)),
  )
  const ref = covering.find(({ pattern }) => !pattern.includes('*')) ?? covering[0]
  if (ref === undefined) return []
  const because = `came from a ${ref.type === 'BRANCH' ? 'branch' : 'tag'} that '${ref.pattern}' covers`
  return [edit('one_ref', ['refs'], because, (to) => ({ ...to, refs: [ref] }))]
}

function onlyRef({ refType, refName, refPath }: Provider['names'], only: Only): RefPattern | undefined {
  const type = only(refType)
  if (type !== 'branch' && type !== 'tag') return undefined
  const path = only(refPath)
  const name =
    refName === undefined ? path?.slice(type === 'branch' ? BRANCHES.length : TAGS.length) : only(refName)
  return name ? { type: type === 'branch' ? 'BRANCH' : 'TAG', pattern: name } : undefined
}

const BRANCHES = 'refs/heads/'
const TAGS = 'refs/tags/'

function startEdits(
  rule: Rule,
  { names, sources, people, tellsForks }: Provider,
  only: Only,
  evidence: readonly JsonObject[],
): readonly Edit[] {
  if (asksFor(rule, names.source)) return []
  const edits: Edit[] = []
  const source = only(names.source)
  const fromMergeRequest = evidence.some((claims) => claims[names.source] === sources.mergeRequest)
  if (tellsForks && rule.mergeRequests === 'SAME_PROJECT' && !fromMergeRequest) {
    const because = `came from no ${people.mergeRequest}`
    const none = { mergeRequests: 'NONE' } as const
    edits.push(edit('no_merge_requests', ['mergeRequests'], because, (to) => ({ ...to, ...none })))
  }
  if (source === undefined) return edits
  const because = has(names.source, source)
  if (source === sources.mergeRequest) edits.push(claimEdit('one_source', names.source, source))
  else if (rule.pipelineSources.length > 1) {
    const narrowed = { pipelineSources: [source] }
    edits.push(edit('one_source', ['pipelineSources'], because, (to) => ({ ...to, ...narrowed })))
  }
  return edits
}

function idEdits(rule: Rule, { names, pinsWholeGroup }: Provider, only: Only): readonly Edit[] {
  const edits: Edit[] = []
  const pins = [
    ['one_project_id', 'projectIds', names.projectId, true],
    ['one_namespace_id', 'namespaceIds', names.groupId, pinsWholeGroup || rule.project !== ''],
  ] as const
  for (const [code, field, claim, isPossible] of pins) {
    const id = only(claim)
    if (!isPossible || id === undefined || rule.ids[field].length === 1 || asksFor(rule, claim)) continue
    const pin = { [field]: [id] }
    edits.push(edit(code, [`ids.${field}`], has(claim, id), (to) => ({ ...to, ids: { ...to.ids, ...pin } })))
  }
  return edits
}

/** Also of a list that the rule has and of which only one value ever came. */
function claimEdits(rule: Rule, { jobClaims }: Provider, only: Only): readonly Edit[] {
  return [...new Set([...jobClaims, ...Object.keys(rule.claims)])].flatMap((name) => {
    const value = only(name)
    const asked = asksFor(rule, name) ? rule.claims[name] : undefined
    return value === undefined || asked?.length === 1 ? [] : [claimEdit('one_claim_value', name, value)]
  })
}

function claimEdit(code: SuggestionCode, name: string, value: string): Edit {
  const narrowed = { [name]: [value] }
  return edit(code, [`claims.${name}`], has(name, value), (to) => ({
    ...to,
    claims: { ...to.claims, ...narrowed },
  }))
}

function edit(
  code: SuggestionCode,
  fields: readonly string[],
  because: string,
  apply: (rule: Rule) => Rule,
): Edit {
  return { code, fields, because, apply }
}

function asksFor(rule: Rule, ...claims: readonly (string | undefined)[]): boolean {
  return claims.some((name) => name !== undefined && Object.hasOwn(rule.claims, name))
}

function has(claim: string, value: string): string {
  return `had ${claim} '${value}'`
}
