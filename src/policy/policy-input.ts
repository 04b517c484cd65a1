import type { Provider } from './compile-policy.ts'

/** What a policy is asked about. `claims`: JSON text; `time` in milliseconds since the epoch; `project` '' for none. */
export type PolicyQuestion = {
  readonly claims: string
  readonly time: number
  readonly email: string
  readonly project: string
  readonly provider: Provider
}

/**
 * The policy's input as JSON text. All of it is recorded or follows from what is, so that the same policy says the same
 * again: the time is the decision's, in whole seconds.
 */
export function policyInput({ claims, time, email, project, provider }: PolicyQuestion): string {
  const rest = JSON.stringify({ time: Math.floor(time / 1000), identity: { email, project }, provider })
  return `{"claims":${claims},${rest.slice(1)}`
}
