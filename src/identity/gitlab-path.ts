const MAX_PATH = 2048 // `sub` carries the project's path and has at most 2,048 characters
const MAX_SEGMENT = 255 // GitLab's own limit for one part of a path

/** Says what is wrong with the path of a group, a subgroup or a user and how to mend it, or undefined. */
export function checkGroupPath(path: string): string | undefined {
  if (path === '') return 'must not be empty: write the path of the group, for example my-group/my-subgroup'
  return pathProblem(path, 'my-group/my-subgroup')
}

/** The same for a project's path, which is relative to its rule's group. */
export function checkProjectPath(path: string): string | undefined {
  return pathProblem(path, 'my-project')
}

function pathProblem(path: string, example: string): string | undefined {
  if (path.length > MAX_PATH) return `must have at most ${MAX_PATH} characters`
  const pasted = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/]*|[^/\s]+@[^/:\s]+:)\/*(.*)$/iu.exec(path)?.[1]
  if (pasted !== undefined) {
    const alone = trimSlashes(pasted.replace(/\/-\/.*$/, '')).replace(/\.git$/, '')
    return `must be a path, not a URL: write ${isPath(alone) ? `'${alone}' as its path in GitLab` : `for example '${example}'`}`
  }
  if (/[*?]/.test(path)) {
    return `'${path}' is no path: there are no patterns here; a group covers its subgroups, and without a project all its projects`
  }

  const trimmed = trimSlashes(path)
  if (trimmed !== path) {
    return `must not begin or end with '/'${isPath(trimmed) ? `: write '${trimmed}'` : ''}`
  }
  return path.split('/').map(segmentProblem).find(isProblem)
}

function segmentProblem(segment: string): string | undefined {
  if (segment === '') return "must not have '//'"
  if (segment.length > MAX_SEGMENT) return `must have at most ${MAX_SEGMENT} characters between two '/'`
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(segment)) {
    return `has '${segment}', but GitLab's paths have only letters, digits, '_', '.' and '-', and no '-' first: take the path from the page's address, not the display name`
  }
  const suffix = /(?:\.git|\.atom|\.)$/i.exec(segment)?.[0]
  return suffix === undefined ? undefined : `has '${segment}', but no path in GitLab ends with '${suffix}'`
}

function isPath(path: string): boolean {
  return path.split('/').every((segment) => segmentProblem(segment) === undefined)
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
