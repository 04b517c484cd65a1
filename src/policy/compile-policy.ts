import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument } from '../errors.ts'
import type { RefPattern, Rule } from '../identity/rule.ts'
import { PROVIDER_TYPES, type ProviderType } from '../provider/providers.ts'
import { ENTRYPOINT } from './evaluation.ts'
import type { Opa, PolicyModule } from './opa.ts'
import type { PolicyProblem } from './policy-problem.ts'

/** A policy before it is compiled; `digest` names it. Stock OPA makes the same verdicts from the modules. */
export type PolicyModules = {
  readonly digest: string
  readonly compiler: string
  readonly entrypoint: string
  readonly modules: readonly PolicyModule[]
  readonly provider: ProviderType
}

export type CompiledPolicy =
  | { readonly ok: true; readonly wasm: Uint8Array }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

export type PolicyCompiler = {
  /** The modules of these rules; disabled ones are left out. Throws `invalid_argument` for text that is no Unicode. */
  gather(source: { readonly provider: ProviderType; readonly rules: readonly Rule[] }): PolicyModules
  compile(policy: PolicyModules): Promise<CompiledPolicy>
}

const STARS_PATH = 'claimgate/stars.rego'

/** Reads the base policies, the schemas and the capabilities from `policiesDir` once. Throws if a file is missing. */
export async function createPolicyCompiler(deps: {
  readonly opa: Opa
  readonly policiesDir: string
}): Promise<PolicyCompiler> {
  const { opa, policiesDir } = deps
  const capabilities = JSON.stringify(
    JSON.parse(await readFile(join(policiesDir, 'capabilities.json'), 'utf8')),
  )
  const schemas = await readSchemas(policiesDir)
  const base = await readBase(policiesDir)
  const compiler = `opa ${await opa.version()}`

  return {
    gather({ provider, rules }) {
      const enabled = rules.filter(({ disabled }) => !disabled)
      const modules = [...baseOf(base, provider, enabled), rulesModule(enabled)].sort(byPath)
      const digest = digestOf(compiler, capabilities, modules)
      return { digest, compiler, entrypoint: ENTRYPOINT, modules, provider }
    },
    async compile({ modules, entrypoint, provider }) {
      // Side by side, as nearly every policy passes; the check's problems come first, they know their places.
      const [checked, built] = await Promise.all([
        opa.check(modules, { schema: schemas.get(provider) ?? '', capabilities }),
        opa.build(modules, { entrypoint, capabilities }),
      ])
      return checked.ok ? built : checked
    },
  }
}

async function readSchemas(policiesDir: string): Promise<ReadonlyMap<ProviderType, string>> {
  const read = async (provider: ProviderType) => {
    const path = join(policiesDir, 'schemas', `${provider.toLowerCase()}.json`)
    return [provider, await readFile(path, 'utf8')] as const
  }
  return new Map(await Promise.all(PROVIDER_TYPES.map(read)))
}

async function readBase(policiesDir: string): Promise<readonly PolicyModule[]> {
  const folder = join(policiesDir, 'claimgate')
  const names = (await readdir(folder)).filter(
    (name) => /^[a-z_]+\.rego$/.test(name) && !name.endsWith('_test.rego'),
  )
  return Promise.all(
    names.map(async (name) => ({
      path: `claimgate/${name}`,
      source: await readFile(join(folder, name), 'utf8'),
    })),
  )
}

/**
 * A provider's file goes only into its own identities' policies: another one's claims are not in their schema. What
 * matches several stars in a segment goes only where a rule has them, as it doubles the policy's size.
 */
function baseOf(
  base: readonly PolicyModule[],
  provider: ProviderType,
  rules: readonly Rule[],
): readonly PolicyModule[] {
  const leftOut = PROVIDER_TYPES.filter((other) => other !== provider).map(providerPath)
  if (!rules.some(({ refs }) => refs.some(hasSeveralStars))) leftOut.push(STARS_PATH)
  return base.filter(({ path }) => !leftOut.includes(path))
}

/** The two stars that may end a pattern are segments of their own, which no expression matches. */
function hasSeveralStars({ pattern }: RefPattern): boolean {
  return /\*[^/]*\*/.test(pattern.replace(/\/\*\*$/, ''))
}

/** Whose tokens a policy of these modules judges: it has that provider's file and no other's. */
export function providerOfModules(paths: readonly string[]): ProviderType | undefined {
  return PROVIDER_TYPES.find((provider) => paths.includes(providerPath(provider)))
}

function providerPath(provider: ProviderType): string {
  return `claimgate/${provider.toLowerCase()}.rego`
}

/** The rules as a JSON literal and nothing else: no value of theirs is ever put together with Rego. */
function rulesModule(rules: readonly Rule[]): PolicyModule {
  const literal = JSON.stringify(rules, null, '\t')
  // Neither is text that OPA keeps as it is: the one becomes U+FFFD, the other ends a text in WASM.
  if (/\\u(?:0000|d[89a-f])/i.test(literal.replaceAll('\\\\', ''))) {
    throw invalidArgument('rules must not have text with U+0000 or a lone surrogate.')
  }
  return { path: 'rules.rego', source: `package claimgate\n\nrules := ${asciiOnly(literal)}\n` }
}

/** Escapes what is not ASCII, as JSON may: a byte order mark ends a Rego file, and bidirectional text misleads. */
function asciiOnly(literal: string): string {
  return literal.replace(
    /[^\n\t\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function digestOf(compiler: string, capabilities: string, modules: readonly PolicyModule[]): string {
  const parts = [compiler, capabilities, modules.map(({ path, source }) => [path, source])]
  return `sha256:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`
}

function byPath(a: PolicyModule, b: PolicyModule): number {
  return a.path < b.path ? -1 : 1
}
