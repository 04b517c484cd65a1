import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import type { PolicyModule } from './opa.ts'

/** `diff` is unified, as `patch` and people read it. */
export type ModuleDiff = { readonly path: string; readonly diff: string }

const UNIFIED = { headerOptions: FILE_HEADERS_ONLY }

/** The modules that differ between two policies, by path; one that only one of them has differs from nothing. */
export function diffModules(
  before: readonly PolicyModule[],
  after: readonly PolicyModule[],
): readonly ModuleDiff[] {
  const sourceOf = (modules: readonly PolicyModule[], path: string) =>
    modules.find((module) => module.path === path)?.source
  const paths = [...new Set([...before, ...after].map(({ path }) => path))].sort()
  return paths.flatMap((path) => {
    const [old, young] = [sourceOf(before, path), sourceOf(after, path)]
    if (old === young) return []
    const [from, to] = [
      old === undefined ? '/dev/null' : `a/${path}`,
      young === undefined ? '/dev/null' : `b/${path}`,
    ]
    return [
      { path, diff: createTwoFilesPatch(from, to, old ?? '', young ?? '', undefined, undefined, UNIFIED) },
    ]
  })
}
