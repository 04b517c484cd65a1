import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import type { PolicyModule } from './opa.ts'

/** `diff` is unified, as `patch` and people read it. */
export type ModuleDiff = { readonly path: string; readonly diff: string }

/** Files that share few of many lines would take minutes, on the thread that serves. */
const UNIFIED = { headerOptions: FILE_HEADERS_ONLY, timeout: 200 }

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
    const [lost, won] = [old ?? '', young ?? '']
    const diff = createTwoFilesPatch(from, to, lost, won, undefined, undefined, UNIFIED)
    return [{ path, diff: diff ?? replaced(from, to, lost, won) }]
  })
}

/** All of the one taken out, and all of the other put in. */
function replaced(from: string, to: string, old: string, young: string): string {
  const [lost, won] = [linesOf(old), linesOf(young)]
  const lines = [...lost.map((line) => `-${line}`), ...won.map((line) => `+${line}`)]
  return [`--- ${from}`, `+++ ${to}`, `@@ -1,${lost.length} +1,${won.length} @@`, ...lines, ''].join('\n')
}

function linesOf(source: string): readonly string[] {
  return source.replace(/\n$/, '').split('\n')
}
