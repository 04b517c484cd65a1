import type { ProviderType } from './providers.ts'

/**
 * A policy's input as JSON text; `claims` is JSON text too, `project` '' for none. All of it is recorded or follows from
 * what is, so that the same policy says the same again: the time is the decision's, in whole seconds.
 */
export function policyInput(
  claims: string,
  timeMs: number,
  email: string,
  project: string,
  provider: ProviderType,
): string {
  const rest = JSON.stringify({ time: Math.floor(timeMs / 1000), identity: { email, project }, provider })
  return `{"claims":${claims},${rest.slice(1)}`
}
