import type { RefPattern, Rule } from '../identity/rule.ts'

export type SampleClaims = {
  readonly claims: Readonly<Record<string, string>>
  /** Whether the rule must admit them: not where its `claims` ask for something of what its other conditions read. */
  readonly admitted: boolean
}

/** Claims of a GitLab job that a rule admits, as a first run of its policy. */
export function sampleClaims(rule: Rule): SampleClaims {
  const path = [rule.group, rule.project || 'project'].join('/')
  const projectId = rule.ids.projectIds[0] ?? '1'
  const claims = {
    project_path: path,
    project_id: projectId,
    namespace_path: path.slice(0, path.lastIndexOf('/')),
    namespace_id: rule.ids.namespaceIds[0] ?? '2',
    job_project_id: projectId,
    ...sampleRef(rule.refs[0] ?? { type: 'BRANCH', pattern: 'main' }),
    ref_protected: 'true',
    pipeline_source: rule.pipelineSources[0] ?? 'push',
  }
  const asked = Object.entries(rule.claims).map(([name, [value = '']]) => [name, value] as const)
  const admitted = !asked.some(([name]) => Object.hasOwn(claims, name))
  return { claims: { ...claims, ...Object.fromEntries(asked) }, admitted }
}

function sampleRef({ type, pattern }: RefPattern): Record<'ref' | 'ref_type' | 'ref_path', string> {
  const ref = pattern.replace(/\/\*\*$/, '/x').replaceAll('*', 'x')
  if (type === 'TAG') return { ref, ref_type: 'tag', ref_path: `refs/tags/${ref}` }
  return { ref, ref_type: 'branch', ref_path: `refs/heads/${ref}` }
}
