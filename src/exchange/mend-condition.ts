import type { RuleVerdict } from '../policy/verdict.ts'

/** How to mend an unmet condition, in words that follow a colon; for the author of a job, who may not see the rule. */
export function mendCondition(rule: RuleVerdict, code: string): string {
  const actual = rule.conditions[code]?.actual ?? null
  if (code.startsWith('claim:')) return mendClaim(code.slice('claim:'.length), actual)
  if (actual !== null && typeof actual !== 'string') {
    return 'GitLab sends text here, so see where this token really comes from'
  }
  switch (code) {
    case 'project':
      return mendProject(rule)
    case 'project_id':
      return mendProjectId(rule)
    case 'namespace_id':
      return (
        'the project is in another namespace than the rule pins (moved, or the path was registered anew): ' +
        "if it is the right one, have the rule's ids.namespaceIds changed"
      )
    case 'ref':
      return mendRef(rule)
    case 'protected_ref':
      return mendProtectedRef(rule)
    case 'merge_request':
      return mendMergeRequest(rule)
    case 'fork':
      return mendFork(actual)
    case 'pipeline_source':
      return "start the pipeline in one of these ways, or have the rule's pipelineSources extended"
    default:
      return 'change the job so that this holds, or have the rule changed'
  }
}

function mendProject(rule: RuleVerdict): string {
  if (rule.conditions.project_id?.met === true) {
    return "the id is the rule's, so the project was renamed or moved: have the rule's project changed to its new path"
  }
  return "run the job in the project that the rule names, or have the rule's project changed"
}

function mendProjectId(rule: RuleVerdict): string {
  const { project } = rule.conditions
  if (project?.met === true && !/^any\b/i.test(project.expected)) {
    return (
      "the path is the rule's but the project is another one, registered anew under the same path: " +
      "if it is the right one, have its id put into the rule's ids.projectIds"
    )
  }
  return "run the job in a project whose id the rule names, or have the id added to the rule's ids.projectIds"
}

function mendRef(rule: RuleVerdict): string {
  const condition = rule.conditions.ref
  const wider =
    typeof condition?.actual === 'string' ? widerPattern(condition.expected, condition.actual) : undefined
  const hint =
    wider === undefined
      ? ''
      : `; '*' stays within one segment, unlike in GitLab's protected branches, and '${wider}' would match`
  if (isMergeRequest(rule)) {
    return `a merge request's token names its source branch: use a rule for merge requests, or run the job on a branch or tag that the rule names${hint}`
  }
  return `run the job on a branch or tag that the rule names, or have the rule's refs extended${hint}`
}

function mendProtectedRef(rule: RuleVerdict): string {
  if (isMergeRequest(rule)) {
    return (
      'GitLab says true for a merge request only where its source and target branch are both protected: ' +
      'run the job on a protected branch or tag, or use a rule for merge requests'
    )
  }
  return (
    "protect the branch or tag in GitLab (Settings, Repository, Protected branches or Protected tags), or have the rule's " +
    'protectedRefsOnly set to false'
  )
}

function mendMergeRequest(rule: RuleVerdict): string {
  if (isMergeRequest(rule)) {
    return 'run the job in a branch or tag pipeline, or have a rule with mergeRequests SAME_PROJECT and empty refs made'
  }
  if (sourceOf(rule) === 'parent_pipeline') {
    return (
      'a child pipeline may belong to a merge request, so it passes only on a protected branch or tag: ' +
      'run the job in the parent pipeline, or protect the branch'
    )
  }
  return 'the token must say how its pipeline was started: GitLab always sends pipeline_source'
}

function mendFork(actual: unknown): string {
  if (actual === null) {
    return (
      'GitLab before 18.4 does not say where the job runs: update GitLab to 18.4 (or to a patch release of 18.2 or ' +
      '18.3 that has the claim job_project_id), or run the job in a pipeline started by push, web, schedule, api, chat ' +
      'or webide'
    )
  }
  return (
    "the job runs in another project than its pipeline's code comes from, as for a fork's merge request: " +
    'push the branch to the project itself and run the job from there'
  )
}

function mendClaim(name: string, actual: unknown): string {
  if (PERSONAL.includes(name) && actual === null) {
    return "it is personal and left out unless the identity's recordedClaims lists it (and GitLab sends some only by choice)"
  }
  if (actual !== null && typeof actual !== 'string') {
    return "a rule's claims compare text alone: have this condition taken out of the rule"
  }
  if (name === 'environment')
    return "give the job such an environment, as in 'environment: production', or have the rule's claims changed"
  if (ENVIRONMENT.includes(name))
    return "give the job an environment for which this holds, or have the rule's claims changed"
  if (name === 'runner_environment')
    return "run the job on such a runner (by its tags), or have the rule's claims changed"

  const since = SINCE.get(name)
  const version = since === undefined || actual !== null ? '' : `GitLab sends it from ${since} on; `
  return `${version}run a job for which this holds, or have the rule's claims changed`
}

function isMergeRequest(rule: RuleVerdict): boolean {
  return sourceOf(rule) === 'merge_request_event'
}

function sourceOf(rule: RuleVerdict): unknown {
  return rule.conditions.pipeline_source?.actual ?? rule.conditions.merge_request?.actual
}

/** The pattern that would match a ref which one of the expected patterns misses only for a further `/`. */
function widerPattern(expected: string, actual: string): string | undefined {
  // The verdict cuts a long ref, and what is left of it says nothing about its end.
  if (actual.endsWith('…')) return undefined
  const [, kind, ref = ''] = /^(?:refs\/(heads|tags)\/)?(.*)$/su.exec(actual) ?? []
  return patternsIn(expected)
    .filter((pattern) => kind === undefined || pattern.kind === undefined || pattern.kind === kind)
    .filter(({ text }) => text.endsWith('*') && !text.endsWith('**'))
    .map(({ text }) => (text.endsWith('/*') ? text.slice(0, -2) : text))
    .filter((base) => reachesBelow(base, ref))
    .map((base) => `${base}/**`)[0]
}

/** Reads `branch 'main' or tag 'v*'`; a word before a pattern says of which kind it and those after it are. */
function patternsIn(
  expected: string,
): readonly { readonly kind: string | undefined; readonly text: string }[] {
  let kind: string | undefined
  return [...expected.matchAll(/\b(branch|tag)|'([^']+)'/g)].flatMap(([, word, text]) => {
    if (word !== undefined) kind = word === 'tag' ? 'tags' : 'heads'
    return text === undefined ? [] : [{ kind, text }]
  })
}

function reachesBelow(base: string, ref: string): boolean {
  const wanted = base.split('/')
  const segments = ref.split('/')
  if (segments.length <= wanted.length || segments.includes('')) return false
  return wanted.every((pattern, index) => matchesSegment(pattern, segments[index] ?? ''))
}

/** `*` is any text: its parts must follow one another, the first and last at the ends. */
function matchesSegment(pattern: string, segment: string): boolean {
  const parts = pattern.split('*')
  const last = parts.pop() ?? ''
  const first = parts.shift()
  if (first === undefined) return segment === last
  let position = first.length
  for (const part of parts) {
    const found = segment.indexOf(part, position)
    if (found < 0) return false
    position = found + part.length
  }
  return segment.startsWith(first) && segment.endsWith(last) && position <= segment.length - last.length
}

const ENVIRONMENT: readonly string[] = [
  'environment_protected',
  'environment_action',
  'deployment_tier',
  'deployment_action',
]

const PERSONAL: readonly string[] = ['user_login', 'user_email', 'user_identities', 'groups_direct', 'actor']

const SINCE: ReadonlyMap<string, string> = new Map([
  ['ref_path', '16.0'],
  ['runner_id', '16.0'],
  ['sha', '16.0'],
  ['ci_config_ref_uri', '16.2'],
  ['ci_config_sha', '16.2'],
  ['project_visibility', '16.3'],
  ['job_project_id', '18.4'],
  ['job_project_path', '18.4'],
  ['job_namespace_id', '18.4'],
  ['job_namespace_path', '18.4'],
  ['job_source', '18.9'],
  ['job_config', '18.9'],
])
