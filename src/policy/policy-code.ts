import { promisify } from 'node:util'
import { gunzipSync, gzip } from 'node:zlib'

/**
 * A policy's WASM as it is stored and handed to threads: compressed to a third, or as it is where a version before
 * stored it or it was compiled just now. What passes through the main thread is garbage of its right after, and
 * collecting that took more of a processor than all else that it does for a policy which is not loaded.
 */
export type PolicyCode = Uint8Array

const GZIP_MAGIC = 0x1f8b
/** More than is in there: zlib would take as much once more. */
const SPARE_BYTES = 1024

export const compressCode: (wasm: Uint8Array) => Promise<Buffer> = promisify(gzip)

export function decompressCode(code: PolicyCode): Uint8Array<ArrayBuffer> {
  if (!isCompressed(code)) return new Uint8Array(code)
  // Never so little that Node gives a part of what it shares out: whoever asks may free all of it.
  return gunzipSync(code, { chunkSize: Math.max(wasmLength(code) + SPARE_BYTES, Buffer.poolSize) })
}

/** Of the WASM, in bytes; where it is compressed, as its end tells. */
export function wasmLength(code: PolicyCode): number {
  return isCompressed(code) ? viewOf(code).getUint32(code.byteLength - 4, true) : code.byteLength
}

function isCompressed(code: PolicyCode): boolean {
  return code.byteLength > 4 && viewOf(code).getUint16(0) === GZIP_MAGIC
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
