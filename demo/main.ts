import { parseArgs } from 'node:util'
import { createPrinter } from './printer.ts'
import { runDemo } from './run-demo.ts'

const COULD_NOT_RUN = 2
const INTERRUPTED = 130 // what a shell says of a program that Ctrl-C ended

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
const interrupted = new AbortController()
// npm hands a signal on that the terminal has sent already: whichever comes first counts.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interrupted.abort())
process.stdout.on('error', () => interrupted.abort())

const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR
const printer = createPrinter((text) => process.stdout.write(text), coloured)
try {
  const { asExpected } = await runDemo({ ...values, printer, env: process.env, signal: interrupted.signal })
  process.exitCode = asExpected ? 0 : 1
} catch (error) {
  process.exitCode = interrupted.signal.aborted ? INTERRUPTED : COULD_NOT_RUN
  if (!interrupted.signal.aborted) process.stderr.write(`\n${(error as Error).message}\n`)
}
