import { styleText } from 'node:util'

export type Colour = 'bold' | 'dim' | 'green' | 'red' | 'cyan'

export type Printer = {
  line(text?: string): void
  heading(text: string): void
  /** A paragraph, broken into lines. */
  text(text: string): void
  /** A block that somebody else wrote: each line behind a bar, long ones cut. */
  quote(text: string): void
  /** A sentence that somebody else wrote, broken into lines behind a bar. */
  quoteText(text: string): void
  table(head: readonly string[], rows: readonly (readonly string[])[]): void
  paint(colour: Colour, text: string): string
}

/** A line of a job's log. */
const MAX_QUOTED = 900
const MAX_COLUMNS = 100

/** Makes what writes the demo's text; colours only where the caller says so. */
export function createPrinter(write: (text: string) => void, coloured: boolean): Printer {
  const paint = (colour: Colour, text: string) =>
    coloured ? styleText(colour, text, { validateStream: false }) : text
  const line = (text = '') => void write(`${text}\n`)
  const quoteLine = (text: string) => line(`   ${paint('dim', '|')} ${text}`)
  return {
    line,
    paint,
    heading: (text) => line(`\n${paint('bold', text)}`),
    text(text) {
      for (const each of brokenIntoLines(text)) line(`   ${each}`)
    },
    quote(text) {
      for (const each of text.trimEnd().split('\n')) quoteLine(shortened(each))
    },
    quoteText(text) {
      for (const each of brokenIntoLines(text)) quoteLine(each)
    },
    table(head, rows) {
      const widths = head.map((title, column) =>
        Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
      )
      const format = (row: readonly string[]) =>
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()
      line(`   ${paint('bold', format(head))}`)
      line(`   ${paint('dim', widths.map((width) => '-'.repeat(width)).join('  '))}`)
      for (const row of rows) line(`   ${paint(row.includes('ALLOWED') ? 'green' : 'red', format(row))}`)
    },
  }
}

function brokenIntoLines(text: string): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trim()
    if (lines.length === 0 || longer.length > MAX_COLUMNS) lines.push(word)
    else lines[lines.length - 1] = longer
  }
  return lines
}

function shortened(text: string): string {
  const left = text.length - MAX_QUOTED
  return left > 0 ? `${text.slice(0, MAX_QUOTED)}… (${left} more characters)` : text
}
