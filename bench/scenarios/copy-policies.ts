import { gzipSync } from 'node:zlib'
import { decompressCode } from '../../src/policy/policy-code.ts'
import { runSql } from '../../test/support/world.ts'

/** WebAssembly's magic number and version. */
const HEADER_BYTES = 8

/**
 * Stores a policy under further names, `digestOfCopy` of each number from 1 on. Each is the same WASM with the number in
 * a section that engines pass over, since V8 keeps the code of equal modules once.
 */
export async function copyPolicies(
  databaseUrl: string,
  { original, copies, name }: { original: string; copies: number; name: string },
): Promise<void> {
  const [policy] = await runSql(databaseUrl, 'select wasm from policies where digest = $1', [original])
  const wasm = decompressCode(policy.wasm)
  const isCompressed = wasm.byteLength !== policy.wasm.byteLength
  const store = (part: Uint8Array) => (isCompressed ? gzipSync(part) : part)
  const numbers = Array.from({ length: copies }, (_, index) => index + 1)
  const beginnings = numbers.map((number) =>
    store(Buffer.concat([wasm.subarray(0, HEADER_BYTES), numberedSection(number)])),
  )
  await runSql(
    databaseUrl,
    `insert into policies (digest, compiler, entrypoint, modules, wasm, compile_time)
     select ${digestOfCopy(name, 'n')}, compiler, entrypoint, modules, beginning || $4::bytea, compile_time
     from unnest($2::int[], $3::bytea[]) as copy (n, beginning), (select * from policies where digest = $1) one`,
    [original, numbers, beginnings, store(wasm.subarray(HEADER_BYTES))],
  )
}

/** The digest of a copy as SQL; `number` is SQL too. */
export function digestOfCopy(name: string, number: string): string {
  return `'sha256:' || encode(sha256(convert_to('${name} ' || ${number}, 'UTF8')), 'hex')`
}

/** A custom section `no` of WebAssembly. */
function numberedSection(number: number): Buffer {
  const section = Buffer.from([0x00, 0x07, 0x02, 0x6e, 0x6f, 0, 0, 0, 0])
  section.writeInt32BE(number, 5)
  return section
}
