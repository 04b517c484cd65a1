import { z } from 'zod'
import { defineRoute, type Route } from './route.ts'

/** `GET /.well-known/authzen-configuration`: where access decisions are made (AuthZEN, Authorization API 1.0, section 9). */
export function getAuthzenConfigurationRoute(deps: { readonly publicUrl: string }): Route {
  const { publicUrl } = deps
  return defineRoute({
    method: 'GET',
    path: '/.well-known/authzen-configuration',
    group: 'Access decisions',
    summary: 'Get where access decisions are made (AuthZEN), which may be kept for five minutes.',
    access: 'public',
    query: 'ignored',
    answer: z.strictObject({
      policy_decision_point: z.url(),
      access_evaluation_endpoint: z.url(),
      access_evaluations_endpoint: z.url(),
    }),
    handle: async () => ({
      headers: { 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' },
      body: {
        policy_decision_point: publicUrl,
        access_evaluation_endpoint: `${publicUrl}/access/v1/evaluation`,
        access_evaluations_endpoint: `${publicUrl}/access/v1/evaluations`,
      },
    }),
  })
}
