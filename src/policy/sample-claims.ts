import type { RefPattern, Rule } from '../identity/rule.ts'
import type { ClaimNames, Provider } from '../provider/provider.ts'

export type SampleClaims = {
  readonly claims: Readonly<Record<string, string>>
  /** Whether the rule must admit them: not where its `claims` ask for something of what its other conditions read. */
  readonly admitted: boolean
}

/** Claims of a provider's job that a rule admits, as a first run of its policy. */
export function sampleClaims(rule: Rule, { names, sources, sample }: Provider): SampleClaims {
  const path = [rule.group, rule.project || 'project'].join('/')
  const projectId = rule.ids.projectIds[0] ?? '1'
  const claims: Record<string, string> = {
    ...sample,
    [names.project]: path,
    [names.projectId]: projectId,
    [names.group]: path.slice(0, path.lastIndexOf('/')),
    [names.groupId]: rule.ids.namespaceIds[0] ?? '2',
    ...(names.jobProjectId !== undefined && { [names.jobProjectId]: projectId }),
    ...sampleRef(rule.refs[0] ?? { type: 'BRANCH', pattern: 'main' }, names),
    [names.refProtected]: 'true',
    [names.source]: rule.pipelineSources[0] ?? sources.usual[0] ?? '',
  }
  const asked = Object.entries(rule.claims).map(([name, [value = '']]) => [name, value] as const)
  const admitted = !asked.some(([name]) => Object.hasOwn(claims, name))
  return { claims: { ...claims, ...Object.fromEntries(asked) }, admitted }
}

function sampleRef({ type, pattern }: RefPattern, names: ClaimNames): Record<string, string> {
  const ref = pattern.replace(/\/\*\*$/, '/x').replaceAll('*', 'x')
  return {
    ...(names.refName !== undefined && { [names.refName]: ref }),
    [names.refType]: type === 'TAG' ? 'tag' : 'branch',
    [names.refPath]: `${type === 'TAG' ? 'refs/tags' : 'refs/heads'}/${ref}`,
  }
}
