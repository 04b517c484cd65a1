import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A secret that is made at the first start and kept in `dataDir`, readable by its owner alone. */
export function generatedSecret(dataDir: string, name: string, make: () => string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, name)
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, `${make()}\n`, { mode: 0o600 })
  try {
    // A link fails where the file is there already, and never shows half a secret.
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(fresh)
  }
  return readFileSync(file, 'utf8').trim()
}

/** 256 random bits as text: an admin token. */
export function newAdminToken(): string {
  return randomBytes(32).toString('base64url')
}

/** 32 random bytes in base64: a key encryption key. */
export function newKeyEncryptionKey(): string {
  return randomBytes(32).toString('base64')
}

/**
 * Keeps a second process out of the embedded database, which two would destroy. Returns what gives it free again.
 * Throws with a sentence for the operator.
 */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, 'lock')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = Number(readFileSync(file, 'utf8'))
      if (holder !== process.pid && isAlive(holder)) break
      rmSync(file, { force: true })
    }
  }
  throw new Error(
    `The embedded database in ${dataDir} is in use by another claimgate; set DATA_DIR or DATABASE_URL.`,
  )
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
