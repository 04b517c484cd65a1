import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument } from '../errors.ts'
import type { RefPattern, Rule } from '../identity/rule.ts'
import { PROVIDER_TYPES, type ProviderType } from '../provider/providers.ts'
import { type CheckedModule, checkModule, type Requirement } from './check-module.ts'
import { sourceProblem } from './check-source.ts'
import { ACCESS_ENTRYPOINT, ENTRYPOINT, GUARDRAILS_ENTRYPOINT } from './evaluation.ts'
import { claimsAlwaysThere, type InputSchema, uniteSchemas } from './input-schema.ts'
import type { Opa, OpaResult, PolicyModule } from './opa.ts'
import type { PolicyProblem } from './policy-problem.ts'

/** A policy before it is compiled; `digest` names it. Stock OPA makes the same verdicts from the modules. */
export type PolicyModules = {
  readonly digest: string
  readonly compiler: string
  readonly entrypoint: string
  readonly modules: readonly PolicyModule[]
  /** Whose claims it reads; undefined: all providers', or none. */
  readonly provider: ProviderType | undefined
}

export type CompiledPolicy =
  | {
      readonly ok: true
      readonly wasm: Uint8Array
      /** What its authored module requires; none where it has none. */
      readonly requirements: readonly Requirement[]
    }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/** What an identity's policy is made of; `conditions` is its own Rego, '' where it has none. */
export type IdentitySource = {
  readonly provider: ProviderType
  readonly rules: readonly Rule[]
  readonly conditions?: string
}

export type PolicyCompiler = {
  /** The modules of an identity; disabled rules are left out. Throws `invalid_argument` for text that is no Unicode. */
  gather(source: IdentitySource): PolicyModules
  /** The modules of the organisation's guardrails, of this Rego. */
  gatherGuardrails(source: string): PolicyModules
  /** The modules of the policy of access decisions. */
  gatherAccess(): PolicyModules
  compile(policy: PolicyModules): Promise<CompiledPolicy>
}

/** As OPA writes them, with more than is read here. */
type Capabilities = { readonly builtins: readonly { readonly name: string }[] }

const STARS_PATH = 'claimgate/stars.rego'
const CONDITIONS_PATH = 'conditions.rego'
const GUARDRAILS_PATH = 'claimgate/guardrails_verdict.rego'
const ACCESS_PATH = 'claimgate/access.rego'

/** Reads the base policies, the schemas and the capabilities from `policiesDir` once. Throws if a file is missing. */
export async function createPolicyCompiler(deps: {
  readonly opa: Opa
  readonly policiesDir: string
}): Promise<PolicyCompiler> {
  const { opa, policiesDir } = deps
  const allowed: Capabilities = JSON.parse(await readFile(join(policiesDir, 'capabilities.json'), 'utf8'))
  const capabilities = JSON.stringify(allowed)
  const builtins = new Set(allowed.builtins.map(({ name }) => name))
  const schemas = await readSchemas(policiesDir)
  const anySchema = uniteSchemas(Object.values(schemas))
  const accessSchema = await readSchema(policiesDir, 'access')
  const base = await readBase(policiesDir)
  const compiler = `opa ${await opa.version()}`

  return {
    gather({ provider, rules, conditions = '' }) {
      const enabled = rules.filter(({ disabled }) => !disabled)
      const authored = conditions === '' ? [] : [{ path: CONDITIONS_PATH, source: conditions }]
      const modules = [...baseOf(base, provider, enabled), ...authored, rulesModule(enabled)].sort(byPath)
      const digest = digestOf(compiler, capabilities, modules)
      return { digest, compiler, entrypoint: ENTRYPOINT, modules, provider }
    },
    gatherGuardrails(source) {
      const modules = [
        ...base.filter(({ path }) => path === GUARDRAILS_PATH),
        { path: 'guardrails.rego', source },
      ]
      const digest = digestOf(compiler, capabilities, modules)
      const entrypoint = GUARDRAILS_ENTRYPOINT
      return { digest, compiler, entrypoint, modules, provider: undefined }
    },
    gatherAccess() {
      const modules = base.filter(({ path }) => path === ACCESS_PATH)
      const digest = digestOf(compiler, capabilities, modules)
      return { digest, compiler, entrypoint: ACCESS_ENTRYPOINT, modules, provider: undefined }
    },
    async compile({ modules, entrypoint, provider }) {
      const ofAny = entrypoint === ACCESS_ENTRYPOINT ? accessSchema : anySchema
      const schema = provider === undefined ? ofAny : schemas[provider]
      const authored = await readAuthored(opa, modules, { alwaysThere: claimsAlwaysThere(schema), builtins })
      if (!authored.ok) return authored

      // Side by side, as nearly every policy passes; the check's problems come first, they know their places. Where
      // nothing is authored there is nothing to check: the base was by its tests, and the rules are a literal beside it.
      const [checked, built] = await Promise.all([
        authored.module === undefined
          ? { ok: true as const }
          : opa.check(modules, { schema: JSON.stringify(schema), capabilities }),
        opa.build(modules, { entrypoint, capabilities }),
      ])
      if (authored.problems.length > 0) return refused([...authored.problems, ...beside(authored, checked)])
      if (!checked.ok) return checked
      return built.ok ? { ...built, requirements: authored.requirements } : built
    },
  }
}

/** What stands in an author's own module, before anything else reads it; nothing where there is none. */
async function readAuthored(
  opa: Opa,
  modules: readonly PolicyModule[],
  known: { readonly alwaysThere: ReadonlySet<string>; readonly builtins: ReadonlySet<string> },
): Promise<OpaResult<CheckedModule & { readonly module: PolicyModule | undefined }>> {
  for (const kind of ['conditions', 'guardrails'] as const) {
    const module = modules.find(({ path }) => path === `${kind}.rego`)
    if (module === undefined) continue
    const unreadable = sourceProblem(module.path, module.source)
    if (unreadable !== undefined) return { ok: false, problems: [unreadable] }
    const parsed = await opa.parse(module)
    if (!parsed.ok) return parsed
    return { ok: true, module, ...checkModule(parsed.tree, { kind, ...known }) }
  }
  return { ok: true, module: undefined, problems: [], requirements: [] }
}

/** What the compiler says of the same module; that the base does not fit it follows from what is wrong with it. */
function beside({ problems }: CheckedModule, checked: OpaResult<object>): readonly PolicyProblem[] {
  if (checked.ok) return []
  return checked.problems.filter(
    ({ file, row, column }) =>
      problems.some((known) => known.file === file) &&
      !problems.some((known) => known.row === row && known.column === column),
  )
}

function refused(problems: readonly PolicyProblem[]): CompiledPolicy {
  return { ok: false, problems }
}

async function readSchemas(policiesDir: string): Promise<Readonly<Record<ProviderType, InputSchema>>> {
  const read = async (provider: ProviderType) =>
    [provider, await readSchema(policiesDir, provider.toLowerCase())] as const
  return Object.fromEntries(await Promise.all(PROVIDER_TYPES.map(read))) as Record<ProviderType, InputSchema>
}

async function readSchema(policiesDir: string, name: string): Promise<InputSchema> {
  return JSON.parse(await readFile(join(policiesDir, 'schemas', `${name}.json`), 'utf8'))
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
  const others = PROVIDER_TYPES.filter((other) => other !== provider).map(providerPath)
  const leftOut = [GUARDRAILS_PATH, ACCESS_PATH, ...others]
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
