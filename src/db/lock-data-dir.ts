import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

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
      // An empty file names nobody: its process died before it could write.
      if (holder > 0 && holder !== process.pid && isAlive(holder)) break
      rmSync(file, { force: true })
    }
  }
  throw new Error(
    `The embedded database in ${dataDir} is in use by another claimgate: end that one first, or set DATA_DIR or DATABASE_URL.`,
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
