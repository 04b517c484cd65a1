import type { OpenApi, Operation } from './openapi-document.ts'
import type { JsonSchema } from './openapi-schemas.ts'

/** A call as one types it: words in capitals stand for values, `$ADMIN_TOKEN` and `$ACCESS_TOKEN` for the caller's own. */
export function curlCommand(api: OpenApi, method: string, path: string, operation: Operation): string {
  const url = `${api.servers[0]?.url}${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => screaming(name))}`
  const query = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === 'query' && parameter.required)
    .map(({ name }) => `${name}=${screaming(name)}`)
  const lines = [
    `curl -sS${method === 'GET' ? '' : ` -X ${method}`} '${[url, ...query].join(query.length > 0 ? '?' : '')}'`,
    ...operation.security
      .slice(0, 1)
      .flatMap((scheme) =>
        Object.keys(scheme).map((name) => `-H "Authorization: Bearer $${screaming(name)}"`),
      ),
    ...(operation.requestBody === undefined
      ? []
      : Object.entries(operation.requestBody.content).flatMap(([type, { schema }]) =>
          type === 'application/json'
            ? [`-H 'Content-Type: ${type}'`, `-d ${bodyOf(schema)}`]
            : formOf(schema),
        )),
  ]
  return lines.join(' \\\n  ')
}

/** curl's own way to send a form. */
function formOf(schema: JsonSchema): readonly string[] {
  const [example = {}] = (schema.examples ?? []) as readonly object[]
  return Object.entries(example).map(([name, value]) => `--data-urlencode '${name}=${value}'`)
}

function bodyOf(schema: JsonSchema): string {
  const [example] = (schema.examples ?? []) as readonly unknown[]
  if (example === undefined) return '@body.json'
  const line = JSON.stringify(example)
  const text = line.length > 80 ? JSON.stringify(example, null, 2) : line
  return `'${text.replaceAll("'", "'\\''")}'`
}

function screaming(name: string): string {
  return name.replace(/[A-Z]/g, '_$&').toUpperCase()
}
