import { coversRefName } from '../fields/covers-ref-name.ts'
import type { FieldProblem } from '../fields/describe-issue.ts'
import { shownText } from '../fields/field-path.ts'
import type { Provider } from '../provider/provider.ts'
import { refusalOf } from '../provider/unlisted-source.ts'
import type { RefPattern, Rule } from './rule.ts'

/** Why no token can meet a rule: what it asks for by `claims` and by its own fields excludes each other. The paths begin at the rule. */
export function findContradictions(rule: Rule, provider: Provider): readonly FieldProblem[] {
  const found = [
    ...placeContradictions(rule, provider),
    refContradiction(rule, provider),
    protectionContradiction(rule, provider),
    sourceContradiction(rule, provider),
  ]
  return found.flatMap((each) =>
    each === undefined
      ? []
      : { path: ['claims', each.claim], message: `the rule can never be met: ${each.why}` },
  )
}

type Contradiction = { readonly claim: string; readonly why: string }

function placeContradictions(rule: Rule, provider: Provider): readonly (Contradiction | undefined)[] {
  const { group, project, ids } = rule
  const { names } = provider
  const path = project === '' ? group : `${group}/${project}`
  const isBelow = (value: string) => folded(value).startsWith(`${folded(group)}/`)
  const isGroup = (value: string) =>
    folded(value) === folded(group) || (provider.group.isNested && isBelow(value))
  const isProject = (value: string) => (project === '' ? isBelow(value) : folded(value) === folded(path))
  const isOneOf = (wanted: readonly string[]) => (value: string) =>
    wanted.length === 0 || wanted.includes(value)
  const excluded = (claim: string | undefined, isAdmitted: (value: string) => boolean, why: string) =>
    claim === undefined || (claimOf(rule, claim)?.some(isAdmitted) ?? true) ? undefined : { claim, why }
  return [
    excluded(names.group, isGroup, `its group is ${shownText(group)}`),
    excluded(names.project, isProject, `it is of ${shownText(path)} alone`),
    excluded(names.projectId, isOneOf(ids.projectIds), 'ids.projectIds has none of these'),
    excluded(names.jobProjectId, isOneOf(ids.projectIds), 'ids.projectIds has none of these'),
    excluded(names.groupId, isOneOf(ids.namespaceIds), 'ids.namespaceIds has none of these'),
  ]
}

const REF_TYPES: ReadonlyMap<string, readonly [type: RefPattern['type'], prefix: string]> = new Map([
  ['branch', ['BRANCH', 'refs/heads/']],
  ['tag', ['TAG', 'refs/tags/']],
])

function refContradiction(rule: Rule, { names }: Provider): Contradiction | undefined {
  const [claim] = [names.refName, names.refPath, names.refType].filter(
    (name) => claimOf(rule, name) !== undefined,
  )
  const types = claimOf(rule, names.refType) ?? [...REF_TYPES.keys()]
  if (claim === undefined || types.some((type) => admitsRefOf(type, rule, names))) return undefined
  const why =
    rule.refs.length === 0
      ? 'a job runs on a branch or tag, and this is none'
      : 'refs has no branch or tag that this asks for'
  return { claim, why }
}

function admitsRefOf(refType: string, rule: Rule, names: Provider['names']): boolean {
  const [type, prefix = ''] = REF_TYPES.get(refType) ?? []
  if (type === undefined) return false
  const { refs } = rule
  const named = claimOf(rule, names.refName)
  const paths = claimOf(rule, names.refPath)?.filter((path) => path.startsWith(prefix))
  const asked = paths?.map((path) => path.slice(prefix.length)) ?? named
  if (asked === undefined) return refs.length === 0 || refs.some((ref) => ref.type === type)
  return asked.some(
    (name) =>
      (named?.includes(name) ?? true) &&
      (refs.length === 0 || refs.some((ref) => ref.type === type && coversRefName(ref.pattern, name))),
  )
}

function protectionContradiction(rule: Rule, { names }: Provider): Contradiction | undefined {
  const asked = claimOf(rule, names.refProtected)
  if (!rule.protectedRefsOnly || asked === undefined || asked.includes('true')) return undefined
  return { claim: names.refProtected, why: 'protectedRefsOnly is true' }
}

function sourceContradiction(rule: Rule, { names, sources }: Provider): Contradiction | undefined {
  const asked = claimOf(rule, names.source)
  const isAdmitted = (source: string) => {
    if (refusalOf(sources, source) !== undefined) return false
    return source === sources.mergeRequest
      ? rule.mergeRequests === 'SAME_PROJECT'
      : rule.pipelineSources.includes(source)
  }
  if (asked === undefined || asked.some(isAdmitted)) return undefined
  const refused = asked.find((source) => refusalOf(sources, source) !== undefined)
  const claim = names.source
  if (refused !== undefined) return { claim, why: `${shownText(refused)} ${refusalOf(sources, refused)}` }
  if (!asked.includes(sources.mergeRequest)) {
    return { claim, why: 'pipelineSources has none of these: list there what it is to admit' }
  }
  const mend =
    rule.refs.length === 0
      ? 'set it to SAME_PROJECT to admit them'
      : 'for them write a rule with empty refs and mergeRequests SAME_PROJECT'
  return { claim, why: `mergeRequests is NONE, which admits no merge requests: ${mend}` }
}

function claimOf({ claims }: Rule, name: string | undefined): readonly string[] | undefined {
  return name !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** A notice that is missing harms less than one that is wrong: what Unicode folds alike is taken to be. */
function folded(path: string): string {
  return path.toLowerCase()
}
