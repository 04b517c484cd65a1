import { readFileSync } from 'node:fs'

export type CodeBlock = { readonly language: string; readonly text: string }

/** The fenced blocks of a page of the project, in order; `replacements` are made in the whole page first. */
export function codeBlocks(
  path: string,
  replacements: Readonly<Record<string, string>> = {},
): readonly CodeBlock[] {
  return [...readPage(path, replacements).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
    ([, language = '', text = '']) => ({
      language,
      text,
    }),
  )
}

export function readPage(path: string, replacements: Readonly<Record<string, string>> = {}): string {
  const page = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  return Object.entries(replacements).reduce((text, [from, to]) => text.replaceAll(from, to), page)
}

/** The lines of a job's `- |` script in a `.gitlab-ci.yml`, without their indentation. */
export function jobScript(yaml: string, job: string): string {
  return blockAfter(jobLines(yaml, job).lines, '- |')
}

/** The lines of a step's `run: |` in a workflow of GitHub Actions, without their indentation. */
export function stepScript(yaml: string, step: string): string {
  const lines = yaml.split('\n')
  const first = lines.findIndex((line) => line.trim() === `- name: ${step}`)
  if (first < 0) throw new Error(`There is no step ${step}.`)
  return blockAfter(lines.slice(first), 'run: |')
}

function blockAfter(lines: readonly string[], opening: string): string {
  const start = lines.findIndex((line) => line.trim() === opening) + 1
  const indent = /^ */.exec(lines[start] ?? '')?.[0].length ?? 0
  const length = lines.slice(start).findIndex((line) => line !== '' && line.search(/\S/) < indent)
  const script = length < 0 ? lines.slice(start) : lines.slice(start, start + length)
  return `${script
    .map((line) => line.slice(indent))
    .join('\n')
    .trimEnd()}\n`
}

/** What follows `name:` in a job. */
export function jobValue(yaml: string, job: string, name: string): string {
  const { lines } = jobLines(yaml, job)
  return (
    lines
      .find((line) => line.trim().startsWith(`${name}:`))
      ?.split(`${name}:`)[1]
      ?.trim() ?? ''
  )
}

function jobLines(yaml: string, job: string): { readonly lines: readonly string[] } {
  const all = yaml.split('\n')
  const first = all.indexOf(`${job}:`) + 1
  if (first === 0) throw new Error(`There is no job ${job}.`)
  const length = all.slice(first).findIndex((line) => /^\S/.test(line))
  return { lines: length < 0 ? all.slice(first) : all.slice(first, first + length) }
}
