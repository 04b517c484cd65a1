import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { OpenApi, Operation, Response } from '../../src/http/openapi-document.ts'

export type SeenAnswer = { readonly status: number; readonly headers: Headers; readonly text: string }

/** Says what of an answer is not in a description of the API; undefined where all of it is. */
export type FindUndescribed = (method: string, target: string, answer: SeenAnswer) => string | undefined

/** One for each process: the description does not depend on what a service has stored, and compiling it takes time. */
const loaded: Promise<FindUndescribed>[] = []

/** Reads a running service's description of its API, which every answer of this process is held against from then on. */
export async function loadDescription(url: string): Promise<void> {
  loaded[0] ??= fetch(`${url}/openapi.json`).then(async (answer) =>
    createAnswerCheck((await answer.json()) as OpenApi),
  )
  await loaded[0]
}

/** Fails where an answer is not as the API's description has it: its status, headers, type and every field. */
export async function assertDescribed(method: string, target: string, answer: SeenAnswer): Promise<void> {
  const problem = (await loaded[0])?.(method, target, answer)
  assert.equal(problem, undefined, problem)
}

export function createAnswerCheck(api: OpenApi): FindUndescribed {
  const operations = Object.entries(api.paths).flatMap(([path, ofPath]) =>
    Object.entries(ofPath).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: new RegExp(`^${RegExp.escape(path).replaceAll(/\\\{\w+\\\}/g, '[^/:]+')}$`),
      operation,
    })),
  )
  const validate = createValidation(api)
  return (method, target, answer) => {
    const [path = ''] = target.split('?')
    const here = operations.filter((each) => each.path.test(path))
    const found = here.find((each) => each.method === (method === 'HEAD' ? 'GET' : method))?.operation
    const call = `${method} ${path}${found ? ` (${found.operationId})` : ''} answered ${answer.status}`
    const response = found
      ? responseOf(api, found, answer.status)
      : generalResponse(api, path, answer.status, here.length > 0)
    if (response === undefined) return `${call}, which the API's description does not have.`
    for (const name of Object.keys(response.headers)) {
      const value = answer.headers.get(name)
      if (value === null) return `${call} without the header ${name}.`
      const problem = validate(api.components.headers[name]?.schema ?? {}, value)
      if (problem !== undefined) return `${call} with the header ${name}, ${problem}: ${value}`
    }
    const type = answer.headers.get('content-type') ?? ''
    const content = response.content[type.replace(/^(application\/json); charset=utf-8$/, '$1')]
    if (content === undefined) return `${call} with the Content-Type '${type}', which is not described.`
    if (method === 'HEAD') return undefined
    const problem = validate(content.schema, type.includes('json') ? JSON.parse(answer.text) : answer.text)
    return problem && `${call} with ${problem}: ${answer.text.slice(0, 2_000)}`
  }
}

type FullResponse = Exclude<Response, { readonly $ref: string }>

function responseOf(api: OpenApi, operation: Operation, status: number): FullResponse | undefined {
  // What Node's parser refuses never becomes a request of an operation.
  if (status === 408 || status === 431) return resolved(api, { $ref: 'BadRequest' })
  return resolved(api, operation.responses[status])
}

/** What is answered where no operation is asked for: by another method, another path, or by what is no HTTP. */
function generalResponse(
  api: OpenApi,
  path: string,
  status: number,
  isPath: boolean,
): FullResponse | undefined {
  const form = /^\/oauth2(\/|$)/.test(path) && status !== 431 ? 'OAuth' : ''
  if (status === 400 || status === 431) return resolved(api, { $ref: `${form}BadRequest` })
  if (status === 405 && isPath) return resolved(api, { $ref: `${form}MethodNotAllowed` })
  return status === 404 && !isPath ? resolved(api, { $ref: `${form}NotFound` }) : undefined
}

function resolved(api: OpenApi, response: Response | undefined): FullResponse | undefined {
  if (response === undefined || !('$ref' in response)) return response
  return resolved(api, api.components.responses[response.$ref.split('/').at(-1) ?? ''])
}

/** Checks values against schemas of the description, each compiled when it is first needed. */
export function createValidation(
  api: OpenApi,
): (schema: FullResponse['content'][string]['schema'], value: unknown) => string | undefined {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, strictTuples: false })
  addFormats.default(ajv)
  ajv.addVocabulary(['components'])
  const compiled = new Map<object, ValidateFunction>()
  return (schema, value) => {
    const validate =
      compiled.get(schema) ?? ajv.compile({ ...schema, components: { schemas: api.components.schemas } })
    compiled.set(schema, validate)
    if (validate(value)) return undefined
    const [error] = validate.errors ?? []
    const place = error?.instancePath === '' ? 'a value that' : `a field ${error?.instancePath} that`
    return `${place} ${error?.message} ${JSON.stringify(error?.params)}`
  }
}
