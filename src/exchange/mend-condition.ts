import { matchesStars } from '../fields/matches-stars.ts'
import type { RuleVerdict } from '../policy/verdict.ts'
import type { Provider } from '../provider/provider.ts'
import { PERSONAL_CLAIMS } from '../provider/providers.ts'
import { isUnlisted } from '../provider/unlisted-source.ts'

/** How to mend an unmet condition, in words that follow a colon; for the author of a job, who may not see the rule. */
export function mendCondition(rule: RuleVerdict, code: string, provider: Provider): string {
  const { name, texts } = provider
  const actual = rule.conditions[code]?.actual ?? null
  if (code.startsWith('claim:')) return mendClaim(code.slice('claim:'.length), actual, provider)
  if (actual !== null && typeof actual !== 'string') {
    return `${name} sends text here, so see where this token really comes from`
  }
  switch (code) {
    case 'project':
      return mendProject(rule)
    case 'project_id':
      return mendProjectId(rule)
    case 'namespace_id':
      return texts.namespaceId
    case 'ref':
      return mendRef(rule, provider)
    case 'protected_ref':
      return isMergeRequest(rule, provider)
        ? texts.protectMergeRequest
        : `${texts.protectRef}, or have the rule's protectedRefsOnly set to false`
    case 'merge_request':
      return mendMergeRequest(rule, provider)
    case 'fork':
      return actual === null ? mendUntoldFork(rule, provider) : texts.fork
    case 'pipeline_source':
      return mendSource(actual, provider)
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

function mendRef(rule: RuleVerdict, provider: Provider): string {
  const { texts } = provider
  const condition = rule.conditions.ref
  const wider =
    typeof condition?.actual === 'string' ? widerPattern(condition.expected, condition.actual) : undefined
  const hint =
    wider === undefined
      ? ''
      : `; '*' stays within one segment, ${texts.starDiffers === '' ? '' : `${texts.starDiffers}, `}and '${wider}' would match`
  if (isMergeRequest(rule, provider)) return `${texts.mergeRequestRef}${hint}`
  return `run the job on a branch or tag that the rule names, or have the rule's refs extended${hint}`
}

/** Of two claims that are compared either may be the one that is not there. */
function mendUntoldFork({ conditions }: RuleVerdict, { name, texts }: Provider): string {
  return conditions.fork?.claim === 'project_id' ? `${name} always sends it` : texts.forkUntold
}

function mendMergeRequest(rule: RuleVerdict, provider: Provider): string {
  if (isMergeRequest(rule, provider)) return provider.texts.mergeRequest
  return sourceOf(rule) === provider.sources.hidden ? provider.texts.hiddenSource : provider.texts.noSource
}

/** What no rule may list is not to be added to one. */
function mendSource(actual: string | null, { sources, texts }: Provider): string {
  const source = actual ?? ''
  if (!isUnlisted(sources, source)) return texts.addSource
  return source === sources.hidden ? texts.hiddenSource : texts.mergeRequest
}

function mendClaim(name: string, actual: unknown, provider: Provider): string {
  const { environmentClaims, since, texts } = provider
  if (PERSONAL_CLAIMS.includes(name) && actual === null) {
    return `it is personal and left out unless the identity's recordedClaims lists it${texts.sentByChoice}`
  }
  if (actual !== null && typeof actual !== 'string') {
    return "a rule's claims compare text alone: have this condition taken out of the rule"
  }
  if (name === 'environment') return `${texts.environment}, or have the rule's claims changed`
  if (environmentClaims.includes(name))
    return "give the job an environment for which this holds, or have the rule's claims changed"
  if (name === 'runner_environment') return `${texts.runner}, or have the rule's claims changed`

  const first = Object.hasOwn(since, name) && actual === null ? since[name] : undefined
  const version = first === undefined ? '' : `${provider.name} sends it from ${first} on; `
  return `${version}run a job for which this holds, or have the rule's claims changed`
}

function isMergeRequest(rule: RuleVerdict, { sources }: Provider): boolean {
  return String(sourceOf(rule)).startsWith(sources.mergeRequest)
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
  return wanted.every((pattern, index) => matchesStars(pattern, segments[index] ?? ''))
}
