import { github } from './github.ts'
import { gitlab } from './gitlab.ts'
import type { Provider } from './provider.ts'

/** Whose job tokens there may be. What differs between them is in their files and in policies/claimgate. */
export const PROVIDERS = { GITLAB: gitlab, GITHUB: github } satisfies Readonly<Record<string, Provider>>

export type ProviderType = keyof typeof PROVIDERS

export const PROVIDER_TYPES = Object.keys(PROVIDERS) as [ProviderType, ...ProviderType[]]

/** Claims about a person, of every provider: neither evaluated nor stored unless `recordedClaims` lists them. */
export const PERSONAL_CLAIMS: readonly string[] = Object.values(PROVIDERS).flatMap(({ claims }) =>
  [...claims].filter(([, { file }]) => file === 'personal').map(([name]) => name),
)

/** Whose own service an issuer's URL is, however its host is written; undefined where it may be anybody's. */
export function providerOfIssuer(issuerUrl: string): ProviderType | undefined {
  const url = issuerUrl.replace(/^[^/]*\/\/[^/]*/, (origin) => origin.toLowerCase())
  return PROVIDER_TYPES.find((type) => `${url}/`.startsWith(`${PROVIDERS[type].issuerUrl}/`))
}
