/**
 * The number of pages (64 KiB) that a WebAssembly module wants its memory to begin with: the minimum of the memory
 * that it imports, which OPA's always do. Reads the binary format (core specification, 5.5.5), as JavaScript's
 * interface does not tell. Throws for a module that imports no memory.
 */
export function initialMemoryPages(wasm: Uint8Array): number {
  const reader = createReader(wasm)
  reader.skip(8)
  while (!reader.atEnd()) {
    const section = reader.byte()
    const size = reader.number()
    if (section === IMPORT_SECTION) return readImports(reader)
    reader.skip(size)
  }
  throw new Error('The WebAssembly module has no imports.')
}

const IMPORT_SECTION = 2
const FUNCTION = 0
const TABLE = 1
const MEMORY = 2
const GLOBAL = 3

type Reader = ReturnType<typeof createReader>

function readImports(reader: Reader): number {
  for (let left = reader.number(); left > 0; left--) {
    reader.skip(reader.number())
    reader.skip(reader.number())
    const kind = reader.byte()
    if (kind === MEMORY) return readLimits(reader)
    if (kind === FUNCTION) reader.number()
    else if (kind === TABLE) {
      reader.skip(1)
      readLimits(reader)
    } else if (kind === GLOBAL) reader.skip(2)
    else throw new Error(`The WebAssembly module has an import of kind ${kind}.`)
  }
  throw new Error('The WebAssembly module imports no memory.')
}

function readLimits(reader: Reader): number {
  const hasMaximum = (reader.byte() & 1) === 1
  const minimum = reader.number()
  if (hasMaximum) reader.number()
  return minimum
}

function createReader(bytes: Uint8Array) {
  let position = 0
  const byte = () => {
    const value = bytes[position++]
    if (value === undefined) throw new Error('The WebAssembly module ends too early.')
    return value
  }
  return {
    byte,
    /** An unsigned LEB128. */
    number() {
      let value = 0
      for (let shift = 0; shift < 35; shift += 7) {
        const next = byte()
        value += (next & 0x7f) * 2 ** shift
        if (next < 0x80) return value
      }
      throw new Error('The WebAssembly module has a number that is too long.')
    },
    skip(count: number) {
      position += count
    },
    atEnd: () => position >= bytes.length,
  }
}
