import { z } from 'zod'
import type { DocsPage } from './docs-page.ts'
import { defineRoute, type Route } from './route.ts'

const HTML = 'text/html; charset=utf-8'

/** `GET /docs`: the description of the API as a page. */
export function getDocsRoute(deps: { readonly page: () => DocsPage }): Route {
  return defineRoute({
    method: 'GET',
    path: '/docs',
    group: 'Operation',
    summary: 'Get this description of the API as a page to read.',
    access: 'public',
    query: 'ignored',
    answer: z.string(),
    contentType: HTML,
    async handle() {
      const { html, styleHash } = deps.page()
      return {
        headers: {
          'Content-Type': HTML,
          // The page is its text, this one style sheet and an empty icon: nothing is loaded, run, submitted or framed.
          'Content-Security-Policy': `default-src 'none'; style-src '${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
          'Referrer-Policy': 'no-referrer',
        },
        body: html,
      }
    },
  })
}
