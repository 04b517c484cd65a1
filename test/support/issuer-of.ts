import type { Issuer } from '../../src/issuer/issuer.ts'

/** An issuer as it is registered by default; several in one test need ids of their own. */
export function issuerOf(issuerUrl: string, more: Partial<Issuer> = {}): Issuer {
  return {
    id: 'gitlab',
    issuerUrl,
    title: 'GitLab',
    providerType: 'GITLAB',
    state: 'ACTIVE',
    algorithms: ['RS256'],
    jwks: null,
    revision: '1',
    ...more,
  }
}
