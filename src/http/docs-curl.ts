import type { OpenApi, Operation } from './openapi-document.ts'

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
      : [`-H 'Content-Type: application/json'`, `-d ${bodyOf(operation)}`]),
  ]
  return lines.join(' \\\n  ')
}

function bodyOf({ requestBody }: Operation): string {
  const [content] = Object.values(requestBody?.content ?? {})
  const [example] = (content?.schema.examples ?? []) as readonly unknown[]
  if (example === undefined) return '@body.json'
  const line = JSON.stringify(example)
  const text = line.length > 80 ? JSON.stringify(example, null, 2) : line
  return `'${text.replaceAll("'", "'\\''")}'`
}

function screaming(name: string): string {
  return name.replace(/[A-Z]/g, '_$&').toUpperCase()
}
