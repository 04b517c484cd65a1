import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { opaBinary } from '../../src/policy/opa-binary.ts'

type Capabilities = { readonly builtins: readonly { readonly name: string }[] }

const FILE = new URL('../../policies/capabilities.json', import.meta.url)

/**
 * What a policy may call: what OPA's WASM runs by itself or opa-wasm supplies and both answer as OPA's own evaluator.
 * Left out on purpose: reading base64 (of an empty text WASM says something else), glob.match (does not escape all of a pattern), sprintf and regex.split (JavaScript's, not Go's),
 * print, and everything that reads a clock, the network, chance or the machine.
 */
const KEPT = [
  ...['abs', 'all', 'and', 'any', 'array.concat', 'array.flatten', 'array.reverse', 'array.slice', 'assign'],
  ...['base64.encode', 'base64url.encode'],
  ...['bits.and', 'bits.lsh', 'bits.negate', 'bits.or', 'bits.rsh', 'bits.xor', 'ceil', 'concat', 'contains'],
  ...['count', 'div', 'endswith', 'eq', 'equal', 'floor', 'format_int', 'graph.reachable', 'gt', 'gte'],
  ...['indexof', 'internal.member_2', 'internal.member_3', 'internal.template_string', 'intersection'],
  ...['is_array', 'is_boolean', 'is_null', 'is_number', 'is_object', 'is_set', 'is_string', 'json.filter'],
  ...['json.is_valid', 'json.marshal', 'json.remove', 'json.unmarshal', 'lower', 'lt', 'lte', 'max', 'min'],
  ...['minus', 'mul', 'neq', 'net.cidr_contains', 'net.cidr_intersects', 'net.cidr_overlap', 'numbers.range'],
  ...['object.filter', 'object.get', 'object.keys', 'object.remove', 'object.union', 'object.union_n', 'or'],
  ...['plus', 'product', 're_match', 'regex.find_all_string_submatch_n', 'regex.is_valid', 'regex.match'],
  ...['rem', 'replace', 'round', 'set_diff', 'sort', 'split', 'startswith', 'strings.replace_n'],
  ...['strings.reverse', 'substring', 'sum', 'to_number', 'trim', 'trim_left', 'trim_prefix', 'trim_right'],
  ...['trim_space', 'trim_suffix', 'type_name', 'union', 'upper', 'walk'],
  ...['yaml.is_valid', 'yaml.marshal', 'yaml.unmarshal'],
]

/** Our part of what this OPA can do, as the text of `policies/capabilities.json`. Throws if a kept built-in is gone. */
export function ourCapabilities(binary: string): string {
  const current: Capabilities = JSON.parse(
    execFileSync(binary, ['capabilities', '--current'], { encoding: 'utf8', env: {}, maxBuffer: 2 ** 24 }),
  )
  const names = new Set(current.builtins.map(({ name }) => name))
  const missing = KEPT.filter((name) => !names.has(name))
  if (missing.length > 0) throw new Error(`OPA no longer has ${missing.join(', ')}.`)

  const builtins = current.builtins.filter(({ name }) => KEPT.includes(name))
  return `${JSON.stringify({ ...current, builtins, allow_net: [] }, null, 2)}\n`
}

/** Whether `policies/capabilities.json` is what this OPA would give. */
export function isCurrent(binary: string): boolean {
  return readFileSync(FILE, 'utf8') === ourCapabilities(binary)
}

function main(): void {
  const binary = opaBinary(process.env.OPA_BIN)
  if (!process.argv.includes('--check')) writeFileSync(FILE, ourCapabilities(binary))
  else if (!isCurrent(binary)) {
    console.error('policies/capabilities.json is not what OPA gives: run node tools/opa/capabilities.ts')
    process.exitCode = 1
  }
}

if (import.meta.main) main()
