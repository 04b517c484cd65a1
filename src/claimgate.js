#!/usr/bin/env node
import { readFileSync } from 'node:fs'

// Plain JavaScript: a Node that is too old reads no TypeScript, so nothing written in it could say so.
const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const needed = engines.node.replace('>=', '')
const { node } = process.versions

if (isOlder(node, needed)) {
  process.stderr.write(`claimgate needs Node ${needed} or later; this is ${node}.\n`)
  process.exitCode = 2
} else {
  await import('./main.ts')
}

function isOlder(version, than) {
  const [[major, minor], [leastMajor, leastMinor]] = [version, than].map((each) =>
    each.split('.').map(Number),
  )
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}
