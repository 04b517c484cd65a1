import { ADMIN_TOKEN, generatedSecret, KEY_ENCRYPTION_KEY } from './data-dir.ts'
import type { Config } from './env.ts'

/** Without a database server there is nobody to configure secrets for: they are made and kept beside the data. */
export function readSecrets(config: Config) {
  const { dataDir, databaseUrl, adminToken, keyEncryptionKeys } = config
  if (databaseUrl !== undefined) {
    return { adminToken, keyEncryptionKeys }
  }
  const sealingKey = () => Buffer.from(generatedSecret(dataDir, KEY_ENCRYPTION_KEY), 'base64')
  return {
    adminToken: adminToken ?? generatedSecret(dataDir, ADMIN_TOKEN),
    keyEncryptionKeys: keyEncryptionKeys.length > 0 ? keyEncryptionKeys : [sealingKey()],
  }
}
