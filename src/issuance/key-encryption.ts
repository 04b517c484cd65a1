import { createHash } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'

/** Wraps private keys for storage. Throws where none of the configured keys opens what was stored. */
export type KeyEncryption = {
  seal(plaintext: string, signingKeyId: string): Promise<string>
  open(sealed: string, signingKeyId: string): Promise<string>
}

/**
 * A JWE (RFC 7516, `dir` with A256GCM) whose header names the key that opens it and, authenticated with it,
 * the signing key it is for. `keys`: 32 bytes each; the first seals, all open.
 */
export function createKeyEncryption(keys: readonly Uint8Array[]): KeyEncryption {
  const byId = new Map(keys.map((key) => [keyEncryptionKeyId(key), key]))
  return {
    async seal(plaintext, signingKeyId) {
      const [first] = keys
      if (first === undefined) throw new Error('There is no KEY_ENCRYPTION_KEY to seal with.')
      return new CompactEncrypt(new TextEncoder().encode(plaintext))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: keyEncryptionKeyId(first), sub: signingKeyId })
        .encrypt(first)
    },

    async open(sealed, signingKeyId) {
      const header = decodeProtectedHeader(sealed)
      const key = byId.get(header.kid ?? '')
      if (key === undefined) {
        throw new Error(
          `No KEY_ENCRYPTION_KEY opens the signing key ${signingKeyId}: the one that sealed it is missing.`,
        )
      }
      const opened = await compactDecrypt(sealed, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      if (opened.protectedHeader.sub !== signingKeyId)
        throw new Error('A sealed signing key was moved to another row.')
      return new TextDecoder().decode(opened.plaintext)
    },
  }
}

/** Names a key without telling it. */
function keyEncryptionKeyId(key: Uint8Array): string {
  return createHash('sha256')
    .update('claimgate key encryption key')
    .update(key)
    .digest('base64url')
    .slice(0, 16)
}
