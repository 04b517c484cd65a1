import type { FieldProblem } from '../fields/describe-issue.ts'
import { shownText } from '../fields/field-path.ts'
import type { Provider } from '../provider/provider.ts'
import { isUnlisted, refusalOf } from '../provider/unlisted-source.ts'
import { checkGroupPath, checkProjectPath } from './project-path.ts'
import { checkRefPattern } from './ref-pattern.ts'
import type { Rule } from './rule.ts'
import type { RuleBody } from './workload-identity-schema.ts'

const MAX_SHOWN_RULES = 4000 // a message that no longer fits a terminal helps nobody

/**
 * Writes a rule's defaults out. Whether refs are given decides two of them; no list of sources ever means "any".
 * `former` is the stored rule that this one changes or takes the place of.
 */
export function completeRule(body: RuleBody, id: string, provider: Provider, former?: Rule): Rule {
  const refs = body.refs ?? []
  const sources = body.pipelineSources ?? []
  const kept = former !== undefined && keepsRefDefaults(former, id, body) ? former : undefined
  const mergeRequests = kept?.mergeRequests ?? (refs.length > 0 ? 'NONE' : 'SAME_PROJECT')
  return {
    id,
    title: body.title ?? '',
    disabled: body.disabled ?? (former?.id === id && former.disabled),
    group: body.group,
    project: body.project ?? '',
    refs,
    protectedRefsOnly: body.protectedRefsOnly ?? kept?.protectedRefsOnly ?? refs.length > 0,
    mergeRequests: body.mergeRequests ?? (provider.tellsForks ? mergeRequests : 'NONE'),
    pipelineSources: sources.length > 0 ? sources : provider.sources.usual,
    claims: body.claims ?? {},
    ids: { projectIds: body.ids?.projectIds ?? [], namespaceIds: body.ids?.namespaceIds ?? [] },
    roles: body.roles ?? [],
  }
}

/**
 * Whether what the request leaves open stays as it was. A change of refs from empty to given decides anew; from given
 * to empty nothing is opened. A rule that only takes another's place, or is now about another one, is never more open
 * by it than a new one.
 */
function keepsRefDefaults(former: Rule, id: string, { group, project = '', refs = [] }: RuleBody): boolean {
  if (refs.length === 0) return true
  const isSamePlace = former.group === group && former.project === project
  return former.id === id && isSamePlace && former.refs.length > 0
}

/** The first thing in a rule that its shape does not show; the path begins at the rule. */
export function checkRule(
  body: RuleBody,
  id: string,
  provider: Provider,
  findRoleProblem: (role: string) => string | undefined,
): FieldProblem | undefined {
  return (
    pathProblem(body, provider) ??
    refsProblem(body) ??
    sourceProblem(body, provider) ??
    mergeRequestsProblem(body, id, provider) ??
    claimsProblem(body) ??
    idsProblem(body, provider) ??
    rolesProblem(body, findRoleProblem)
  )
}

/** The first entry of a list that stands in it before; a list said twice is mostly a list meant otherwise. */
export function findDuplicate(
  path: readonly PropertyKey[],
  values: readonly string[] | undefined,
): FieldProblem | undefined {
  const index = (values ?? []).findIndex((value, at) => (values ?? []).indexOf(value) < at)
  if (index < 0) return undefined
  return { path: [...path, index], message: `${shownText(values?.[index] ?? '')} stands in the list twice` }
}

function pathProblem(body: RuleBody, provider: Provider): FieldProblem | undefined {
  const group = checkGroupPath(body.group, provider)
  if (group !== undefined) return { path: ['group'], message: group }
  const project = body.project ? checkProjectPath(body.project, provider) : undefined
  return project === undefined ? undefined : { path: ['project'], message: project }
}

function refsProblem(body: RuleBody): FieldProblem | undefined {
  const refs = body.refs ?? []
  for (const [index, ref] of refs.entries()) {
    const message = checkRefPattern(ref.pattern)
    if (message !== undefined) return { path: ['refs', index, 'pattern'], message }
  }
  return findDuplicate(
    ['refs'],
    refs.map(({ type, pattern }) => `${type} ${pattern}`),
  )
}

function sourceProblem(body: RuleBody, { sources }: Provider): FieldProblem | undefined {
  const given = body.pipelineSources ?? []
  const index = given.findIndex((source) => isUnlisted(sources, source))
  if (index < 0) return findDuplicate(['pipelineSources'], given)
  const source = given[index] ?? ''
  const path = ['pipelineSources', index]
  const refused = refusalOf(sources, source)
  if (refused !== undefined) return { path, message: `${source} ${refused}` }
  const mend =
    (body.refs ?? []).length > 0
      ? 'for merge requests write a rule with empty refs and mergeRequests SAME_PROJECT'
      : 'leave it out and set mergeRequests to SAME_PROJECT to admit them'
  return { path, message: `${source} is governed by mergeRequests alone: ${mend}` }
}

function mergeRequestsProblem(
  body: RuleBody,
  id: string,
  { name, names, sources, tellsForks }: Provider,
): FieldProblem | undefined {
  if (body.mergeRequests !== 'SAME_PROJECT') return undefined
  if (!tellsForks) {
    return {
      path: ['mergeRequests'],
      message: `must be NONE, or left out: nothing in a token of ${name} tells the pull request of a fork`,
    }
  }
  if ((body.refs ?? []).length === 0) return undefined
  const path = ['mergeRequests']
  const asked = Object.hasOwn(body.claims ?? {}, names.source) ? body.claims?.[names.source] : undefined
  const others = asked?.filter((source) => source !== sources.mergeRequest)
  if (asked !== undefined && others?.length === asked.length) {
    const message = `${WITHOUT_REFS}: set it to NONE, since claims.${names.source} asks for no merge request`
    return { path, message }
  }
  const { protectedRefsOnly: _, ...rest } = body
  const refsOnly = {
    ...body,
    id,
    mergeRequests: 'NONE',
    ...(others !== undefined && { claims: { ...body.claims, [names.source]: others } }),
  }
  // Empty refs are all branches and tags too; the exact source keeps the second rule to merge requests.
  const mergeRequestsOnly = {
    ...rest,
    id: others?.length === 0 ? id : `${id.slice(0, 48)}-merge-requests`,
    refs: [],
    mergeRequests: 'SAME_PROJECT',
    claims: { ...body.claims, [names.source]: [sources.mergeRequest] },
  }
  const mend =
    others?.length === 0
      ? `leave refs empty, since claims.${names.source} asks for merge requests alone${shownRule(mergeRequestsOnly)}`
      : `write two rules instead, ${twoRules(refsOnly, mergeRequestsOnly, names.source, sources.mergeRequest)}`
  return { path, message: `${WITHOUT_REFS}: ${mend}` }
}

const WITHOUT_REFS =
  'SAME_PROJECT goes with empty refs only, because the token of a merge request names its source branch, never the ' +
  'branch it goes into'

function shownRule(rule: object): string {
  const written = JSON.stringify(rule)
  return written.length <= MAX_SHOWN_RULES ? `: ${written}` : ''
}

function twoRules(refsOnly: object, mergeRequestsOnly: object, claim: string, source: string): string {
  const written = `${JSON.stringify(refsOnly)} and ${JSON.stringify(mergeRequestsOnly)}`
  if (written.length <= MAX_SHOWN_RULES) return written
  return (
    `this one with mergeRequests NONE and no "${source}" in claims, and another with empty refs, mergeRequests ` +
    `SAME_PROJECT and in claims "${claim}": ["${source}"]`
  )
}

function claimsProblem(body: RuleBody): FieldProblem | undefined {
  return Object.entries(body.claims ?? {})
    .map(([name, values]) => findDuplicate(['claims', name], values))
    .find((problem) => problem !== undefined)
}

function idsProblem(body: RuleBody, { names, pinsWholeGroup }: Provider): FieldProblem | undefined {
  const { projectIds, namespaceIds = [] } = body.ids ?? {}
  if (namespaceIds.length > 0 && !body.project && !pinsWholeGroup) {
    return {
      path: ['ids', 'namespaceIds'],
      message:
        `goes only with project: ${names.groupId} is that of the namespace which holds the project, and without a ` +
        'project the rule covers subgroups too; use projectIds, or name the project',
    }
  }
  return (
    findDuplicate(['ids', 'projectIds'], projectIds) ?? findDuplicate(['ids', 'namespaceIds'], namespaceIds)
  )
}

function rolesProblem(
  body: RuleBody,
  findRoleProblem: (role: string) => string | undefined,
): FieldProblem | undefined {
  const roles = body.roles ?? []
  for (const [index, role] of roles.entries()) {
    const message = findRoleProblem(role)
    if (message !== undefined) return { path: ['roles', index], message }
  }
  return findDuplicate(['roles'], roles)
}
