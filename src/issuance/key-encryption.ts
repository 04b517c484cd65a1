import { createHash } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'

/** Wraps private keys for storage. Throws where none of the configured keys opens what was stored. */
export type KeyEncryption = {
  seal(plaintext: string, signingKeyId: string): Promise<string>
  open(sealed: string, signingKeyId: string): Promise<string>
  /** Which of the configured keys sealed this, by its place; -1 where none of them did. */
  sealedBy(sealed: string): number
}

/**
 * A JWE (RFC 7516, `dir` with A256GCM) whose header names the key that opens it and, authenticated with it,
 * the signing key it is for. `keys`: 32 bytes each; the first seals, all open.
 */
export function createKeyEncryption(keys: readonly Uint8Array[]): KeyEncryption {
  const ids = keys.map(keyEncryptionKeyId)
  const sealedBy = (sealed: string) => ids.indexOf(decodeProtectedHeader(sealed).kid ?? '')
  return {
    sealedBy,

    async seal(plaintext, signingKeyId) {
      const [[first], [firstId]] = [keys, ids]
      if (first === undefined || firstId === undefined)
        throw new Error('There is no KEY_ENCRYPTION_KEY to seal with.')
      return new CompactEncrypt(new TextEncoder().encode(plaintext))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: firstId, sub: signingKeyId })
        .encrypt(first)
    },

    async open(sealed, signingKeyId) {
      const key = keys[sealedBy(sealed)]
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
