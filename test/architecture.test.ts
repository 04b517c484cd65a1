import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const LEAVES = ['errors', 'log', 'clock', 'json', 'base64url', 'compiled-code', 'fields', 'provider']
const CONCEPTS = [
  'token',
  'issuer',
  'policy',
  'policy-file',
  'guardrails',
  'policy-test',
  'finding',
  'suggestion',
  'identity',
  'decision',
  'issuance',
  'access',
  'access-evaluation',
  'change',
  'signature',
]

/** What a room of the house may import: functions and types, or types alone. Its own files always. */
type Rights = { readonly values: readonly string[]; readonly types?: readonly string[] }

const IMPORTS: Readonly<Record<string, Rights>> = {
  ...Object.fromEntries(LEAVES.map((leaf) => [leaf, { values: [] }])),
  config: { values: LEAVES },
  db: { values: [...LEAVES, 'migrations'] },
  ...Object.fromEntries(CONCEPTS.map((concept) => [concept, { values: [...LEAVES, 'db'], types: CONCEPTS }])),
  exchange: { values: LEAVES, types: CONCEPTS },
  http: { values: [...LEAVES, 'exchange'], types: CONCEPTS },
  telemetry: { values: LEAVES },
  workers: { values: LEAVES, types: ['telemetry'] },
  app: { values: [...LEAVES, ...CONCEPTS, 'config', 'db', 'exchange', 'http', 'telemetry', 'workers'] },
  cli: { values: [...LEAVES, ...CONCEPTS, 'app', 'config', 'db', 'http', 'workers'] },
  main: { values: ['cli', 'compiled-code'] },
}

/** Where a package or a module of Node's may be imported; one that is not listed, anywhere. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  jose: /^src\/(issuer|issuance)\//,
  '@open-policy-agent/opa-wasm': /^src\/policy\//,
  express: /^src\/http\//,
  kysely: /^(src\/db\/|migrations\/|src\/\w+\/[\w-]+-store\.ts$)/,
  pg: /^(src\/db\/|migrations\/|src\/\w+\/[\w-]+-store\.ts$)/,
  '@electric-sql/pglite': /^src\/db\/embedded\.ts$/,
  pino: /^src\/log\.ts$/,
  yaml: /^src\/policy-file\//,
  undici: /^src\/issuer\//,
  'node:child_process': /^src\/policy\/opa\.ts$/,
  'node:worker_threads': /^src\/(policy|signature)\//,
  // Starts processes, which must have one place that waits for them.
  'node:cluster': /^src\/workers\//,
  'prom-client': /^src\/telemetry\//,
  // Its packages have to fit each other, and are loaded only where traces are asked for.
  '@opentelemetry/api': /^src\/telemetry\/otlp-tracing\.ts$/,
  '@opentelemetry/core': /^src\/telemetry\/otlp-tracing\.ts$/,
  '@opentelemetry/exporter-trace-otlp-http': /^src\/telemetry\/otlp-tracing\.ts$/,
  '@opentelemetry/resources': /^src\/telemetry\/otlp-tracing\.ts$/,
  '@opentelemetry/sdk-trace': /^src\/telemetry\/otlp-tracing\.ts$/,
  'node:http': /^src\/http\//,
}

type Import = { readonly from: string; readonly specifier: string; readonly typeOnly: boolean }

const sources = globSync(['src/**/*.ts', 'migrations/*.ts'], { cwd: ROOT })
  .sort()
  .map((path) => ({ path, text: readFileSync(posix.join(ROOT, path), 'utf8') }))
const imports = sources.flatMap(({ path, text }) => readImports(path, text))

describe('imports go one way', () => {
  test('every room of src stands in the table', () => {
    const rooms = new Set(
      sources.filter(({ path }) => path.startsWith('src/')).map(({ path }) => roomOf(path)),
    )

    const unlisted = [...rooms].filter((room) => IMPORTS[room] === undefined)

    assert.deepEqual(unlisted, [])
  })

  test('each file imports only what its room may', () => {
    const refused = imports.filter((each) => !isAllowed(each)).map(describeImport)

    assert.deepEqual(refused, [])
  })

  test('each package is imported only where it belongs', () => {
    const refused = imports.filter((each) => !isAllowedPackage(each)).map(describeImport)

    assert.deepEqual(refused, [])
  })

  test('one file each knows opa-wasm and starts the opa command', () => {
    const importersOf = (name: string) =>
      imports.filter(({ specifier }) => specifier === name).map(({ from }) => from)

    assert.equal(importersOf('@open-policy-agent/opa-wasm').length, 1)
    assert.deepEqual(importersOf('node:child_process'), ['src/policy/opa.ts'])
  })

  test('every import of a package is one of package.json or of Node', () => {
    const { dependencies } = JSON.parse(readFileSync(posix.join(ROOT, 'package.json'), 'utf8'))
    const known = new Set([...Object.keys(dependencies), ...builtinModules.map((name) => `node:${name}`)])

    const unknown = imports.filter(
      ({ specifier }) => isPackage(specifier) && !known.has(packageOf(specifier)),
    )

    assert.deepEqual(unknown.map(describeImport), [])
  })

  test('no files import each other in a circle', () => {
    const next = Map.groupBy(
      imports.filter(({ specifier, typeOnly }) => !isPackage(specifier) && !typeOnly),
      ({ from }) => from,
    )

    assert.deepEqual(findCircle(next), [])
  })
})

describe('the table refuses', () => {
  const refused = (from: string, line: string) => {
    const [found] = readImports(from, `${line}\n`)
    assert.ok(found, `no import was found in: ${line}`)
    return !(isAllowed(found) && isAllowedPackage(found))
  }

  for (const [from, line] of [
    ['src/json.ts', "import { invalidArgument } from './errors.ts'"],
    ['src/token/x.ts', "import { findIssuer } from '../issuer/issuer-store.ts'"],
    ['src/token/x.ts', "import { type Issuer } from '../issuer/issuer.ts'"],
    ['src/token/x.ts', "import {\n  a,\n  b,\n} from '../issuer/issuer.ts'"],
    ['src/token/x.ts', "export { findIssuer } from '../issuer/issuer-store.ts'"],
    ['src/token/x.ts', "const issuer = await import('../issuer/issuer.ts')"],
    ['src/exchange/x.ts', "import { createPool } from '../db/postgresql.ts'"],
    ['src/exchange/x.ts', "import type { Route } from '../http/route.ts'"],
    ['src/db/x.ts', "import type { Decision } from '../decision/decision.ts'"],
    ['src/http/x.ts', "import { startApp } from '../app.ts'"],
    ['src/main.ts', "import { startApp } from './app.ts'"],
    ['src/exchange/x.ts', "import { jwtVerify } from 'jose'"],
    ['src/decision/x.ts', "import express from 'express'"],
    ['src/decision/x.ts', "import type { Kysely } from 'kysely'"],
    ['src/decision/x.ts', "import { Migrator } from 'kysely/migration'"],
    ['src/http/x.ts', "import 'pg'"],
  ] as const) {
    test(`in ${from}: ${line.replaceAll('\n', ' ')}`, () => {
      assert.equal(refused(from, line), true)
    })
  }

  test('and lets through what the house is built of', () => {
    assert.equal(refused('src/token/x.ts', "import type { Issuer } from '../issuer/issuer.ts'"), false)
    assert.equal(refused('src/decision/a-store.ts', "import { sql } from 'kysely'"), false)
    assert.equal(refused('src/app.ts', "import { decide } from './exchange/decide.ts'"), false)
    assert.equal(refused('src/app/x.ts', "import { decide } from '../exchange/decide.ts'"), false)
  })
})

describe('the house', () => {
  test('has no folder that could hold anything', () => {
    const folders = globSync('{src,test,policies,migrations,demo,tools,bench,console}/**/', { cwd: ROOT })

    const vague = folders.filter((path) =>
      ['utils', 'util', 'helpers', 'lib', 'common', 'services', 'controllers'].includes(posix.basename(path)),
    )

    assert.deepEqual(vague, [])
  })

  test('has no default exports', () => {
    const found = sources.filter(({ text }) => /^export\s+(default\b|\{[^}]*\bas\s+default\b)/m.test(text))

    assert.deepEqual(
      found.map(({ path }) => path),
      [],
    )
  })

  test('reads the environment in one place, where the command line is handed it', () => {
    const found = sources.filter(({ text }) =>
      /\bprocess\s*(\.|\[\s*['"])\s*env\b|\benv\b[^;]*from 'node:process'/.test(text),
    )

    const elsewhere = found
      .map(({ path }) => path)
      .filter((path) => !['src/main.ts', 'src/config/env.ts'].includes(path))
    assert.deepEqual(elsewhere, [])
  })

  test('never ends its own process', () => {
    const found = sources.filter(({ text }) => /\bprocess\.(exit|abort|reallyExit)\(/.test(text))

    assert.deepEqual(
      found.map(({ path }) => path),
      [],
    )
  })

  test('keeps no variables outside of functions', () => {
    const found = sources.filter(({ text }) => /^(export\s+)?(let|var)\s/m.test(text))

    assert.deepEqual(
      found.map(({ path }) => path),
      [],
    )
  })

  test('names its files in kebab-case', () => {
    const found = sources
      .map(({ path }) => path)
      .filter((path) => !/^[a-z0-9-]+\.ts$/.test(posix.basename(path)))

    assert.deepEqual(found, [])
  })
})

/** Imports, re-exports, `import()` and files that a worker is started from. Erased at run time: `import type` alone. */
function readImports(from: string, text: string): readonly Import[] {
  const found: Import[] = []
  const add = (specifier: string | undefined, typeOnly: boolean) => {
    if (specifier !== undefined) found.push({ from, specifier, typeOnly })
  }
  for (const [, keyword, specifier] of text.matchAll(
    /^(?:import|export)\s+(type\s+)?(?:[\w$*\s,]|\{[^}]*\})+?\s+from\s+['"]([^'"]+)['"]/gm,
  )) {
    add(specifier, keyword !== undefined)
  }
  for (const [, specifier] of text.matchAll(/^import\s+['"]([^'"]+)['"]/gm)) add(specifier, false)
  for (const [, specifier] of text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g))
    add(specifier, false)
  for (const [, specifier] of text.matchAll(/new URL\(\s*['"](\.[^'"]+\.ts)['"],\s*import\.meta\.url/g))
    add(specifier, false)
  return found
}

function isAllowed({ from, specifier, typeOnly }: Import): boolean {
  if (isPackage(specifier) || from.startsWith('migrations/')) return true
  const [here, there] = [roomOf(from), roomOf(posix.join(posix.dirname(from), specifier))]
  const rights = IMPORTS[here]
  if (here === there) return true
  return rights?.values.includes(there) === true || (typeOnly && rights?.types?.includes(there) === true)
}

function isAllowedPackage({ from, specifier }: Import): boolean {
  return !isPackage(specifier) || PACKAGES[packageOf(specifier)]?.test(from) !== false
}

/** The folder of src, or the file where it lies in src itself. */
function roomOf(path: string): string {
  const [top = '', room = ''] = path.split('/')
  return top === 'src' ? room.replace(/\.ts$/, '') : top
}

function isPackage(specifier: string): boolean {
  return !specifier.startsWith('.')
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function describeImport({ from, specifier, typeOnly }: Import): string {
  return `${from}: ${typeOnly ? 'import type' : 'import'} ${specifier}`
}

/** The first circle that there is, as the paths along it; empty where there is none. */
function findCircle(next: ReadonlyMap<string, readonly Import[]>): readonly string[] {
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): readonly string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
    if (done.has(path)) return []
    for (const { specifier } of next.get(path) ?? []) {
      const circle = visit(posix.join(posix.dirname(path), specifier), [...way, path])
      if (circle.length > 0) return circle
    }
    done.add(path)
    return []
  }
  for (const path of next.keys()) {
    const circle = visit(path, [])
    if (circle.length > 0) return circle
  }
  return []
}
