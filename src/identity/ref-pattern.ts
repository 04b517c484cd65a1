const MAX_PATTERN = 1024 // `sub` carries the ref and may have 2,048 characters, path and all

/**
 * Says what is wrong with a rule's ref pattern and how to mend it, or undefined. `*` stays within a segment,
 * `/**` may only end the pattern, and everything else is literal, so what Git forbids in a ref could never match
 * (git-check-ref-format).
 */
export function checkRefPattern(pattern: string): string | undefined {
  if (pattern === '') return 'must not be empty: leave refs empty for all branches and tags'
  if (pattern.length > MAX_PATTERN) return `must have at most ${MAX_PATTERN} characters`
  if (/^[*/]+$/.test(pattern)) {
    return `'${pattern}' names no branch or tag: leave refs empty for all branches and tags`
  }
  return prefixProblem(pattern) ?? wildcardProblem(pattern) ?? gitProblem(pattern)
}

/** Says what an author may not expect of a good pattern where the provider's own differ, or undefined. */
export function noticeRefPattern(pattern: string, starDiffers: string): string | undefined {
  if (starDiffers === '' || !pattern.endsWith('/*')) return undefined
  const base = pattern.slice(0, -2)
  const example = base.replaceAll('*', 'x')
  return (
    `'${pattern}' matches '${example}/1' but not '${example}/1/2', ${starDiffers}: ` +
    `write '${base}/**' for both`
  )
}

function prefixProblem(pattern: string): string | undefined {
  const [, kind, rest] = /^\/?refs\/(heads|tags|merge-requests|pull)(?:\/(.*))?$/su.exec(pattern) ?? []
  if (kind === undefined) return undefined
  if (kind === 'merge-requests') {
    return 'is the ref of a merge request: leave refs empty and set mergeRequests to SAME_PROJECT'
  }
  if (kind === 'pull') return 'is the ref of a pull request, which no rule admits'
  const prefix = `refs/${kind}/`
  const type = kind === 'heads' ? 'BRANCH' : 'TAG'
  if (!rest) return `must be the name alone, without ${prefix}`
  return `must be the name alone: leave out ${prefix} and write '${rest}' with type ${type}`
}

function wildcardProblem(pattern: string): string | undefined {
  const other = /[?[{]/.exec(pattern)?.[0]
  if (other === '{') {
    return `'${pattern}' has '{', which is no wildcard here: write one entry for each alternative`
  }
  if (other !== undefined) {
    return `'${pattern}' has '${other}', which no ref can have: the only wildcards are '*' and '/**' at the end`
  }

  const beforeEnd = pattern.endsWith('/**') ? pattern.slice(0, -3) : pattern
  if (!beforeEnd.includes('**')) return undefined
  const base = pattern.slice(0, pattern.indexOf('**')).replace(/\/$/, '')
  const mend = base.replaceAll('/', '') === '' ? '' : `: write '${base}/**' for everything below '${base}'`
  return `'${pattern}' has '**' elsewhere than as '/**' at the end${mend}, or '*' for any text within a segment`
}

function gitProblem(pattern: string): string | undefined {
  const forbidden = /[ ~^:\\\p{Cc}]/u.exec(pattern)?.[0]
  if (forbidden !== undefined) {
    const hint = /[\\^]/.test(forbidden) ? ' (this is not a regular expression)' : ''
    return `has ${characterName(forbidden)}, which Git forbids in a ref${hint}`
  }
  const why = gitRules.find(([, broken]) => broken.test(pattern))?.[0]
  return why === undefined ? undefined : `'${pattern}' ${why}, which Git forbids in a ref`
}

function characterName(character: string): string {
  if (character === ' ') return 'a space'
  if (character === '\\') return 'a backslash'
  return /\p{Cc}/u.test(character) ? 'a control character' : `'${character}'`
}

const gitRules: readonly (readonly [why: string, broken: RegExp])[] = [
  ["begins with '/'", /^\//],
  ["ends with '/' (end it with '/**' for everything below)", /\/$/],
  ["has '//'", /\/\//],
  ["has '..'", /\.\./],
  ["has '@{'", /@\{/],
  ["has a segment that begins with '.'", /(?:^|\/)\./],
  ["has a segment that ends with '.lock'", /\.lock(?:\/|$)/],
  ["ends with '.'", /\.$/],
  ["begins with '-'", /^-/],
  ["is '@' alone", /^@$/],
]
