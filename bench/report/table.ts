import type { Measurement } from '../scenarios/measure.ts'
import type { Figure } from '../scenarios/scenario.ts'

type Column = { readonly title: string; readonly show: (measurement: Measurement) => string }

const COLUMNS: readonly Column[] = [
  { title: 'server', show: ({ contestant }) => contestant },
  { title: 'load', show: ({ load }) => load },
  { title: 'per s', show: ({ perSecond }) => number(perSecond, 0) },
  { title: 'p50 ms', show: ({ p50Ms }) => number(p50Ms, 2) },
  { title: 'p90 ms', show: ({ p90Ms }) => number(p90Ms, 2) },
  { title: 'p99 ms', show: ({ p99Ms }) => number(p99Ms, 2) },
  { title: 'max ms', show: ({ maxMs }) => number(maxMs, 1) },
  { title: 'CPU µs', show: ({ processorUs }) => number(processorUs, 0) },
  { title: 'main thread µs', show: ({ mainThreadUs }) => number(mainThreadUs, 0) },
  { title: 'database µs', show: ({ databaseUs }) => number(databaseUs, 0) },
  { title: 'sender µs', show: ({ senderUs }) => number(senderUs, 0) },
  { title: 'MB', show: ({ residentMb }) => number(residentMb, 0) },
  { title: 'errors', show: ({ errors }) => String(errors) },
]

/** Measurements as a Markdown table, which also reads well on a terminal. */
export function measurementTable(measurements: readonly Measurement[]): string {
  return table(
    COLUMNS.map(({ title }) => title),
    measurements.map((measurement) => COLUMNS.map(({ show }) => show(measurement))),
  )
}

export function figureTable(figures: readonly Figure[]): string {
  return table(
    ['figure', 'value', 'aim'],
    figures.map(({ name, value, unit, aim }) => [name, `${number(value, 2)} ${unit}`.trim(), aim ?? '']),
  )
}

/** The first column is text and stands left; figures stand right, where they can be compared. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )
  const isText = titles.map((_, index) => rows.some((row) => /^[A-Za-z]/.test(row[index] ?? '')))
  const line = (cells: readonly string[]) =>
    `| ${cells
      .map((cell, index) =>
        isText[index] ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join(' | ')} |`
  const rule = widths.map((width, index) => `${'-'.repeat(width + 1)}${isText[index] ? '-' : ':'}`)
  return [line(titles), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')
}

function number(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}
