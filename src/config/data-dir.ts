import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A secret that the service makes for itself: its file's name, how it is made and what it must look like. */
export type GeneratedSecret = { readonly file: string; readonly make: () => string; readonly form: RegExp }

/** 256 random bits as text. */
export const ADMIN_TOKEN: GeneratedSecret = {
  file: 'admin-token',
  make: () => randomBytes(32).toString('base64url'),
  form: /^[\x21-\x7e]{32,}$/,
}

/** 32 random bytes in base64. */
export const KEY_ENCRYPTION_KEY: GeneratedSecret = {
  file: 'key-encryption-key',
  make: () => randomBytes(32).toString('base64'),
  form: /^[A-Za-z0-9+/]{43}=$/,
}

/**
 * A secret that is made at the first start and kept in `dataDir`, readable by its owner alone.
 * Throws, with a sentence for the operator, where the file is there and holds no such secret.
 */
export function generatedSecret(dataDir: string, secret: GeneratedSecret): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, secret.file)
  const fresh = `${file}.${process.pid}`
  // Flushed before it gets its name: a crash must not leave an empty secret behind.
  writeFileSync(fresh, `${secret.make()}\n`, { mode: 0o600, flush: true })
  try {
    // A link fails where the file is there already, and never shows half a secret.
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(fresh)
  }
  return checked(file, secret)
}

/** The same where it was made before; undefined where it was not. */
export function keptSecret(dataDir: string, secret: GeneratedSecret): string | undefined {
  const file = join(dataDir, secret.file)
  return existsSync(file) ? checked(file, secret) : undefined
}

function checked(file: string, secret: GeneratedSecret): string {
  const kept = readFileSync(file, 'utf8').trim()
  if (secret.form.test(kept)) return kept
  throw new Error(
    `${file} does not hold what was once generated there: restore it, or remove it for a new one.`,
  )
}
