import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCurrent } from '../../tools/opa/capabilities.ts'
import { binary, capabilities, wasmOf } from './policy-world.ts'

type Builtin = {
  readonly name: string
  readonly infix?: string
  readonly relation?: boolean
  readonly decl: { readonly args?: readonly object[] }
}

const builtins: readonly Builtin[] = JSON.parse(capabilities).builtins
/** Strict mode refuses the first four; assigning and unifying are compiled away. */
const NOT_CALLED = [
  'all',
  'any',
  're_match',
  'set_diff',
  'net.cidr_overlap',
  'assign',
  'eq',
  'internal.template_string',
]

test('the capabilities are what this compiler gives', () => {
  assert.ok(isCurrent(binary))
})

test('nothing reaches the network', () => {
  assert.deepEqual(JSON.parse(capabilities).allow_net, [])
  assert.deepEqual(
    builtins
      .map(({ name }) => name)
      .filter((name) => /^(http|net\.lookup|opa\.|time\.|rand\.|io\.|providers\.|rego\.)/.test(name)),
    [],
  )
})

test('the WASM runs every built-in itself, or opa-wasm has it', async () => {
  const called = builtins.filter(({ name }) => !NOT_CALLED.includes(name))
  const rules = called.map(({ name, decl }, i) => {
    const args = (decl.args ?? []).map((_, place) => `input.a${place}`).join(', ')
    if (name === 'internal.member_2') return `r contains ${i} if input.a0 in input.a1`
    if (name === 'internal.member_3') return `r contains ${i} if input.a0, input.a1 in input.a2`
    return name === 'walk' ? `r contains x if walk(input.a0, x)` : `r contains ${name}(${args})`
  })

  const wasm = await wasmOf(['package t', ...rules].join('\n'), 't/r')

  assert.deepEqual(suppliedBuiltins(wasm), ['yaml.is_valid', 'yaml.marshal', 'yaml.unmarshal'])
})

/** The built-ins that a policy asks its host for: their names stand in its data as JSON. */
function suppliedBuiltins(wasm: Uint8Array): readonly string[] {
  const text = Buffer.from(wasm).toString('latin1')
  return builtins
    .map(({ name }) => name)
    .filter((name) => text.includes(`\0${name}\0`))
    .sort()
}
