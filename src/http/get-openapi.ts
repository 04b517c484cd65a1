import { z } from 'zod'
import type { OpenApi } from './openapi-document.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /openapi.json`: what this service answers to, for programs. */
export function getOpenApiRoute(deps: { readonly description: () => OpenApi }): Route {
  return defineRoute({
    method: 'GET',
    path: '/openapi.json',
    group: 'Operation',
    summary: 'Get this description of the API (OpenAPI 3.1).',
    operationId: 'getOpenApi',
    access: 'public',
    query: 'ignored',
    answer: z.looseObject({ openapi: z.literal('3.1.1') }),
    handle: async () => ({ body: deps.description() }),
  })
}
