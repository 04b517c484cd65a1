#!/usr/bin/env node
import { keepCompiledCode } from './compiled-code.ts'

keepCompiledCode()
// Imported later than the line above, as it is what is to be kept compiled.
const { runCli } = await import('./cli.ts')
process.exitCode = await runCli(process.argv.slice(2), process.env)
