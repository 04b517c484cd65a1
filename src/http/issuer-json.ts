import type { KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'

/** An issuer as it is answered, with what this process knows of its keys. */
export function issuerJson(issuer: StoredIssuer, keys: KeyStatus) {
  return {
    name: `issuers/${issuer.id}`,
    issuerUrl: issuer.issuerUrl,
    title: issuer.title,
    providerType: issuer.providerType,
    state: issuer.state,
    algorithms: issuer.algorithms,
    ...(issuer.jwks !== null && { jwks: issuer.jwks }),
    keys,
    createTime: issuer.createTime.toISOString(),
    updateTime: issuer.updateTime.toISOString(),
  }
}
