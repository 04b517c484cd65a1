import type { PathRule, Provider } from '../provider/provider.ts'

const MAX_PATH = 2048 // `sub` carries the project's path and has at most 2,048 characters

type Paths = Pick<Provider, 'name' | 'group' | 'project'>

/** Says what is wrong with the path of a rule's group and how to mend it, or undefined. */
export function checkGroupPath(path: string, provider: Paths): string | undefined {
  const { group } = provider
  if (path === '') return `must not be empty: write ${group.what}, for example ${group.example}`
  return severalSegments(path, provider) ?? pathProblem(path, provider.name, group)
}

/** The same for a project's path, which is relative to its rule's group. */
export function checkProjectPath(path: string, provider: Paths): string | undefined {
  return severalSegments(path, provider) ?? pathProblem(path, provider.name, provider.project)
}

/** Where neither groups nor projects are nested, two names are mostly both of them. */
function severalSegments(path: string, { name, group, project }: Paths): string | undefined {
  const [first = '', second = '', ...rest] = (pastedPath(path) ?? path).split('/')
  if (group.isNested || rest.length > 0 || !isSegment(first, group) || !isSegment(second, project)) {
    return undefined
  }
  return `'${path}' is more than one name, and nothing is nested in ${name}: write group '${first}' and project '${second}'`
}

function pathProblem(path: string, provider: string, rule: PathRule): string | undefined {
  if (path.length > MAX_PATH) return `must have at most ${MAX_PATH} characters`
  const alone = pastedPath(path)
  if (alone !== undefined) {
    return `must be a path, not a URL: write ${isPath(alone, rule) ? `'${alone}' as its path in ${provider}` : `for example '${rule.example}'`}`
  }
  if (/[*?]/.test(path)) {
    return `'${path}' is no path: there are no patterns here; a group covers ${rule.isNested ? 'its subgroups, and without a project all its projects' : 'all its projects where a rule has none'}`
  }

  const trimmed = trimSlashes(path)
  if (trimmed !== path) {
    return `must not begin or end with '/'${isPath(trimmed, rule) ? `: write '${trimmed}'` : ''}`
  }
  if (!rule.isNested && path.includes('/')) {
    return `'${path}' has a slash: write ${rule.what} alone, for example ${rule.example}`
  }
  return path
    .split('/')
    .map((segment) => segmentProblem(segment, provider, rule))
    .find(isProblem)
}

/** The path in an address that was pasted instead of it; undefined where it is none. */
function pastedPath(text: string): string | undefined {
  const pasted = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/]*|[^/\s]+@[^/:\s]+:)\/*(.*)$/iu.exec(text)?.[1]
  return pasted && trimSlashes(pasted.replace(/\/-\/.*$/, '')).replace(/\.git$/, '')
}

function segmentProblem(segment: string, provider: string, rule: PathRule): string | undefined {
  if (segment === '') return "must not have '//'"
  if (segment.length > rule.maxSegment) {
    return `must have at most ${rule.maxSegment} characters${rule.isNested ? " between two '/'" : ''}`
  }
  if (!rule.segment.test(segment)) return `has '${segment}', ${rule.segmentRule}`
  const suffix = rule.endings.exec(segment)?.[0]
  return suffix === undefined
    ? undefined
    : `has '${segment}', but no path in ${provider} ends with '${suffix}'`
}

function isPath(path: string, rule: PathRule): boolean {
  const segments = path.split('/')
  return (rule.isNested || segments.length === 1) && segments.every((segment) => isSegment(segment, rule))
}

function isSegment(segment: string, rule: PathRule): boolean {
  return segmentProblem(segment, '', rule) === undefined
}

function isProblem(problem: string | undefined): problem is string {
  return problem !== undefined
}

function trimSlashes(path: string): string {
  let start = 0
  let end = path.length
  while (start < end && path[start] === '/') start++
  while (end > start && path[end - 1] === '/') end--
  return path.slice(start, end)
}
