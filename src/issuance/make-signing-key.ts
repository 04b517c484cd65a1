import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import type { KeyEncryption } from './key-encryption.ts'
import { SIGNING_ALGORITHM } from './signing-key.ts'
import type { NewSigningKey } from './signing-key-store.ts'

/** Makes a key pair, whose private part leaves only sealed. */
export async function makeSigningKey(encryption: Pick<KeyEncryption, 'seal'>): Promise<NewSigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    publicJwk: { ...publicJwk, kid, use: 'sig', alg: SIGNING_ALGORITHM },
    sealed: await encryption.seal(JSON.stringify(await exportJWK(privateKey)), kid),
  }
}
