import { renderDocsPage } from './docs-page.ts'
import { getDocsRoute } from './get-docs.ts'
import { getOpenApiRoute } from './get-openapi.ts'
import { createOpenApi } from './openapi.ts'
import type { Route } from './route.ts'

/** Routes and, beside them, `/openapi.json` and `/docs`, which describe all of them and themselves. */
export function withDescription(
  routes: readonly Route[],
  about: { readonly publicUrl: string; readonly version: string },
): readonly Route[] {
  const described: readonly Route[] = [
    ...routes,
    getOpenApiRoute({ description: () => description }),
    getDocsRoute({ page: () => page }),
  ]
  const description = createOpenApi(described, about)
  const page = renderDocsPage(description)
  return described
}
