import type { Provider } from '../provider/provider.ts'

/** What jobs are told to ask for by widely used services, on every provider. */
const SERVICE_AUDIENCES: readonly string[] = ['sigstore', 'sts.amazonaws.com', 'api://AzureADTokenExchange']

/** Whether jobs have tokens with this audience that go elsewhere, so that others hold such tokens too. */
export function isSharedAudience(
  audience: string,
  issuerUrl: string,
  { isDefaultAudience }: Provider,
): boolean {
  return (
    SERVICE_AUDIENCES.includes(audience) ||
    withoutSlash(audience) === withoutSlash(issuerUrl) ||
    isDefaultAudience(audience, issuerUrl)
  )
}

function withoutSlash(url: string): string {
  return url.toLowerCase().replace(/\/$/, '')
}
