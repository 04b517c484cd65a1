import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { curlCommand } from './docs-curl.ts'
import { descriptionOf, fieldsOf, renderSchema, typeOf } from './docs-schema.ts'
import { Html, html, prose, withCode } from './html.ts'
import type { Content, OpenApi, Operation, Parameter, Response } from './openapi-document.ts'
import type { JsonSchema } from './openapi-schemas.ts'

/** A page without scripts; `styleHash` is what a Content-Security-Policy allows its style by. */
export type DocsPage = { readonly html: string; readonly styleHash: string }

type Call = { readonly method: string; readonly path: string; readonly operation: Operation }

/** The description of the API as one page to read: no script, nothing to load, readable as text alone. */
export function renderDocsPage(api: OpenApi): DocsPage {
  const style = readFileSync(new URL('docs-page.css', import.meta.url), 'utf8')
  const calls = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
  const groups = api.tags.map((tag) => ({
    ...tag,
    id: `group-${tag.name.toLowerCase().replaceAll(' ', '-')}`,
    calls: calls.filter(({ operation }) => operation.tags.includes(tag.name)),
  }))
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${api.info.title} API ${api.info.version}</title>
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the calls</a>
<nav aria-label="Calls">
<p class="brand"><a href="#top">${api.info.title}</a> <span>API ${api.info.version}</span></p>
${groups.map(
  (group) => html`<p class="group"><a href="#${group.id}">${group.name}</a></p>
<ul>${group.calls.map(
    ({ method, path, operation }) =>
      html`<li><a href="#${operation.operationId}">${badge(method)}<span>${breakable(path)}</span></a></li>`,
  )}</ul>
`,
)}<p class="group"><a href="#schemas">Schemas</a></p>
</nav>
<main id="content">
<header id="top">
<h1>${api.info.title} API</h1>
<p class="facts">Version ${api.info.version} · <code>${api.servers[0]?.url}</code> · <a href="/openapi.json">openapi.json</a></p>
${prose(api.info.description)}
</header>
${groups.map(
  (group) => html`<section aria-labelledby="${group.id}">
<h2 id="${group.id}">${group.name}</h2>
<p>${group.description}</p>
${group.calls.map((call) => renderCall(api, call))}
</section>
`,
)}<section aria-labelledby="schemas">
<h2 id="schemas">Schemas</h2>
${Object.entries(api.components.schemas).map(
  ([name, schema]) => html`<article id="schema-${name}">
<h3>${name}</h3>
${descriptionOf(schema) && html`<p>${descriptionOf(schema)}</p>`}
${renderFields(schema)}
</article>
`,
)}</section>
</main>
</body>
</html>
`
  return { html: page.text, styleHash: `sha256-${createHash('sha256').update(style).digest('base64')}` }
}

function renderCall(api: OpenApi, { method, path, operation }: Call): Html {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation
  return html`<article id="${operationId}">
<h3>${badge(method)} <a href="#${operationId}">${breakable(path)}</a></h3>
<p class="summary">${withCode(summary)}</p>
<p class="facts">${accessOf(operation)}${description && html` ${description}`} <span class="id">${operationId}</span></p>
<pre><code>${curlCommand(api, method, path, operation)}</code></pre>
${parameters.length > 0 ? html`<h4>Parameters</h4><ul class="fields">${parameters.map(renderParameter)}</ul>` : undefined}
${requestBody && html`<h4>Request</h4>${renderContent(requestBody.content, 'required')}`}
<h4>Answers</h4>
<dl class="answers">${Object.entries(responses).map(([status, response]) => renderAnswer(api, status, response))}</dl>
</article>
`
}

function renderParameter({ name, in: place, required, description, schema }: Parameter): Html {
  return html`<li><code class="name">${name}</code> <span class="type">${typeOf(schema)}, in the ${place}</span>${
    required ? html` <span class="mark">required</span>` : undefined
  }${descriptionOf({ ...schema, description })}</li>`
}

function renderAnswer(api: OpenApi, status: string, response: Response): Html {
  const isShared = '$ref' in response
  const shown = isShared ? api.components.responses[response.$ref.split('/').at(-1) ?? ''] : response
  if (shown === undefined || '$ref' in shown) return html``
  const isRefusal = Number(status) >= 400
  return html`<dt class="${isRefusal ? 'refusal' : 'success'}">${status}</dt><dd><p>${shown.description}</p>${
    isShared ? undefined : isRefusal ? renderRefusal(shown.content) : renderContent(shown.content, 'optional')
  }</dd>`
}

function renderContent(content: Content, marks: 'required' | 'optional'): Html {
  return html`${Object.entries(content).map(([type, { schema }]) => {
    // The command above has a request's.
    const [example] = marks === 'required' ? [] : ((schema.examples ?? []) as readonly unknown[])
    return html`${type === 'application/json' ? undefined : html`<p class="type">${type}</p>`}${renderSchema(
      schema,
      marks,
    )}${example === undefined ? undefined : folded('Example', pretty(example))}`
  })}`
}

/** Of an Error what is this operation's own: its details, and examples. */
function renderRefusal(content: Content): Html {
  return html`${Object.values(content).map(({ schema, examples = {} }) => {
    const alternatives = (schema.anyOf ?? [schema]) as readonly JsonSchema[]
    const details = alternatives.map((each) => fieldsOf(detailsOf(each), 'optional'))
    return html`${details.map((fields) => fields && folded('Its details', fields))}${Object.entries(
      examples,
    ).map(([title, { value }]) => folded(title, pretty(value)))}`
  })}`
}

function detailsOf(error: JsonSchema): JsonSchema {
  const [, own] = (error.allOf ?? []) as readonly {
    readonly properties?: { readonly details?: JsonSchema }
  }[]
  return own?.properties?.details ?? {}
}

function renderFields(schema: JsonSchema): Html | undefined {
  return fieldsOf(schema, 'optional') ?? renderSchema(schema, 'optional')
}

function folded(title: string, content: Html): Html {
  return html`<details><summary>${title}</summary>${content}</details>`
}

function pretty(value: unknown): Html {
  return html`<pre><code>${JSON.stringify(value, null, 2)}</code></pre>`
}

function accessOf({ security }: Operation): string {
  const [scheme] = security.flatMap((each) => Object.keys(each))
  if (scheme === undefined) return 'Anybody may call it.'
  return scheme === 'adminToken'
    ? 'Needs the admin token, or an access token whose identity holds the permission.'
    : 'Needs an access token.'
}

function badge(method: string): Html {
  return html`<span class="method ${method.toLowerCase()}">${method}</span>`
}

/** A path that may break before its slashes and colons, so that a narrow screen shows all of it. */
function breakable(path: string): Html {
  return html`${path.split(/(?=[/:.])/).map((part) => html`${part}<wbr>`)}`
}
