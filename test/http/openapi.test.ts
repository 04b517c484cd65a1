import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { z } from 'zod'
import { createOpenApi } from '../../src/http/openapi.ts'
import type { OpenApi } from '../../src/http/openapi-document.ts'
import { defineRoute, type Route, SMALL_BODY } from '../../src/http/route.ts'
import { assertSafeHeaders } from '../support/answers.ts'
import { createAnswerCheck, createValidation } from '../support/described-answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

describe('the description of the API', () => {
  let world: World
  let api: OpenApi

  before(async () => {
    world = await startWorld(DATABASES[0])
    api = (await world.request('GET', '/openapi.json')).json
  })
  after(() => world?.close())

  const operations = () =>
    Object.entries(api.paths).flatMap(([path, ofPath]) =>
      Object.entries(ofPath).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    )

  test('is public, and valid OpenAPI 3.1', async () => {
    const answer = await world.request('GET', '/openapi.json')

    const { valid, errors } = await new Validator().validate(answer.json)

    assert.ok(valid, JSON.stringify(errors))
    assertSafeHeaders(answer)
    assert.match(answer.json.openapi, /^3\.1\./)
    assert.deepEqual(answer.json.servers, [{ url: 'https://claimgate.example.com' }])
  })

  test('names each operation once, in a group that is described', () => {
    const ids = operations().map(({ operation }) => operation.operationId)

    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index || !/^[a-z][A-Za-z]+$/.test(id)),
      [],
    )
    const groups = new Set(operations().flatMap(({ operation }) => operation.tags))
    assert.deepEqual([...groups].sort(), api.tags.map(({ name }) => name).sort())
  })

  test('has only references that lead somewhere', () => {
    const references = [...JSON.stringify(api).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)

    const lost = references.filter(
      (path) =>
        path.split('/').reduce<unknown>((at, part) => at && Reflect.get(at as object, part), api) ===
        undefined,
    )

    assert.ok(references.length > 50)
    assert.deepEqual(lost, [])
  })

  test('has every route of the service, and a route for every operation', async () => {
    for (const { method, path } of operations()) {
      const place = path.replaceAll(/\{\w+\}/g, 'x')

      const known = await world.admin(method, place, method === 'GET' ? undefined : {})
      const other = await world.request('TRACE' === method ? 'GET' : 'OPTIONS', place)

      assert.notEqual(known.status, 405, `${method} ${path}`)
      assert.doesNotMatch(known.text, /nothing at this path/)
      const methods = Object.keys(api.paths[path] ?? {}).map((each) => each.toUpperCase())
      const allowed = (other.headers.get('allow') ?? '').split(', ').filter((each) => each !== 'HEAD')
      assert.deepEqual(allowed.sort(), methods.sort(), path)
    }
  })

  test('says of a conflict only what the operation can give', async () => {
    const { paths, components } = (await world.request('GET', '/openapi.json')).json

    const create = paths['/v1/projects'].post.responses['409']
    const change = paths['/v1/projects/{project}'].patch.responses['409']

    assert.equal(create.description, 'It exists already.')
    assert.deepEqual(create.content['application/json'].schema.allOf[1].properties.code.enum, [6])
    assert.deepEqual(change, { $ref: '#/components/responses/Conflict' })
    const { schema } = components.responses.Conflict.content['application/json']
    assert.deepEqual(schema.allOf[1].properties.code.enum, [10])
  })

  test('gives examples that its own schemas accept, of requests and of answers', () => {
    const validate = createValidation(api)
    let count = 0
    const visit = (at: unknown): void => {
      if (typeof at !== 'object' || at === null) return
      const { schema, examples } = at as {
        schema?: { examples?: unknown[] }
        examples?: Record<string, { value: unknown }>
      }
      if (schema !== undefined) {
        for (const value of [
          ...(schema.examples ?? []),
          ...Object.values(examples ?? {}).map((example) => example.value),
        ]) {
          count += 1
          assert.equal(validate(schema, value), undefined, JSON.stringify(value))
        }
      }
      Object.values(at).forEach(visit)
    }

    visit(api)

    assert.ok(count >= 5)
  })

  test('shows the refusals of an exchange as they are', async () => {
    const rules = [
      {
        id: 'deploy',
        title: 'Deploy from main',
        group: 'my-group',
        project: 'my-project',
        refs: [{ type: 'BRANCH', pattern: 'main' }],
      },
    ]
    const email = await world.createIdentity(rules)
    const claims = { namespace_path: 'my-group', project_path: 'my-group/my-project' }
    const examples = exampleBodies(api, '401', '403')
    const withoutId = (text: string) =>
      text
        .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
        .replaceAll(world.gitlab.issuerUrl, 'https://gitlab.com')

    const answers = [
      await world.exchange(
        world.gitlab.signToken(
          gitlabClaims('18.4', { ...claims, exp: Math.floor(world.clock() / 1000) - 240 }),
        ),
        email,
      ),
      await world.exchange(
        world.gitlab.signToken(
          gitlabClaims('18.4', { namespace_path: 'another-group', project_path: 'another-group/app' }),
        ),
        email,
      ),
      await world.exchange(
        world.gitlab.signToken(gitlabClaims('18.4', { ...claims, ref: 'feature' })),
        email,
      ),
    ]

    for (const [index, answer] of answers.entries()) {
      assert.deepEqual(
        JSON.parse(withoutId(answer.text)),
        JSON.parse(withoutId(JSON.stringify(examples[index]))),
      )
    }
  })

  test('says which fields and parameters a request must have', () => {
    const { requestBody } = operation('/v1/auth:exchangeToken', 'post')
    const { parameters = [] } = operation('/v1/issuers', 'post')

    assert.deepEqual(requestBody?.content['application/json']?.schema.required, ['token', 'email'])
    assert.equal(parameters.find(({ name }) => name === 'issuerId')?.required, true)
  })

  test('says of what only we fill that it is read-only', () => {
    const { requestBody } = operation('/v1/issuers', 'post')

    const fields = Object.entries(
      (requestBody?.content['application/json']?.schema.properties ?? {}) as Record<
        string,
        { readOnly?: true }
      >,
    )

    const readOnly = fields.filter(([, field]) => field.readOnly).map(([name]) => name)
    assert.deepEqual(readOnly, ['name', 'keys', 'createTime', 'updateTime', 'notices', 'etag'])
  })

  test('describes the size of a page as the number that it is', () => {
    const { parameters = [] } = operation('/v1/decisions', 'get')

    const { schema } = parameters.find(({ name }) => name === 'pageSize') ?? {}

    assert.deepEqual(schema, { type: 'integer', minimum: 0, default: 10 })
  })

  function operation(path: string, method: string) {
    const found = api.paths[path]?.[method]
    assert.ok(found, `${method} ${path}`)
    return found
  }
})

function exampleBodies(api: OpenApi, ...statuses: readonly string[]): readonly unknown[] {
  return statuses.flatMap((status) => {
    const response = api.paths['/v1/auth:exchangeToken']?.post?.responses[status]
    assert.ok(response && !('$ref' in response))
    return Object.values(response.content['application/json']?.examples ?? {}).map(({ value }) => value)
  })
}

const thing = z.strictObject({ name: z.string(), size: z.int().optional() }).meta({ id: 'Thing' })

function thingRoute(more: Partial<Route> = {}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/things/{id}',
    group: 'Operation',
    summary: 'Get a thing.',
    access: 'claimgate.metrics.get',
    query: {},
    answer: thing,
    handle: async () => ({ body: {} }),
    ...more,
  }) as Route
}

const describeRoutes = (...routes: readonly Route[]) =>
  createOpenApi(routes, { publicUrl: 'https://x.example', version: '1.2.3' })

describe('of a route the description', () => {
  const only = (route: Route) => Object.values(Object.values(describeRoutes(route).paths)[0] ?? {})[0]
  const statuses = (route: Route) => Object.keys(only(route)?.responses ?? {}).join(' ')

  test('has the refusals that follow from its access, path, body and If-Match', () => {
    const body = { schema: thing, limit: SMALL_BODY } as const

    assert.equal(statuses(thingRoute()), '200 400 401 403 404 500 503')
    assert.equal(statuses(thingRoute({ path: '/v1/things', access: 'public' })), '200 400 500 503')
    assert.equal(statuses(thingRoute({ path: '/v1/things' })), '200 400 401 403 500 503')
    assert.equal(
      statuses(thingRoute({ method: 'PATCH', body, honoursIfMatch: true })),
      '200 400 401 403 404 409 413 415 500 503',
    )
    assert.equal(
      statuses(thingRoute({ method: 'POST', path: '/v1/things', body })),
      '200 400 401 403 409 413 415 500 503',
    )
  })

  test('has the refusals that it names itself, with the details that they carry', () => {
    const details = z.tuple([z.strictObject({ problems: z.array(z.string()) })])
    const route = thingRoute({ refusals: { invalid_argument: { description: 'No.', details } } })
    const check = createAnswerCheck(describeRoutes(route))
    const refusal = (of: unknown, code = 3) => answer(400, { code, message: 'No.', details: of })

    assert.equal(check('GET', '/v1/things/x', refusal([{ problems: ['a'] }])), undefined)
    assert.equal(check('GET', '/v1/things/x', refusal([], 9)), undefined, 'another error of that status')
    assert.match(check('GET', '/v1/things/x', refusal([])) ?? '', /details/)
    assert.match(check('GET', '/v1/things/x', refusal([{ problems: [1] }])) ?? '', /details/)
  })

  test('names the parameter that If-Match is', () => {
    const parameters = only(thingRoute({ method: 'DELETE', honoursIfMatch: true }))?.parameters ?? []

    assert.deepEqual(
      parameters.map((parameter) => [parameter.name, parameter.in, parameter.required]),
      [
        ['id', 'path', true],
        ['If-Match', 'header', false],
      ],
    )
  })

  test('says whose token it takes', () => {
    assert.deepEqual(only(thingRoute())?.security, [{ adminToken: [] }, { accessToken: [] }])
    assert.deepEqual(only(thingRoute({ access: 'access_token' }))?.security, [{ accessToken: [] }])
    assert.deepEqual(only(thingRoute({ access: 'public' }))?.security, [])
  })

  test('is not made where one name means two things', () => {
    const other = z.strictObject({ name: z.string() }).meta({ id: 'Thing' })
    const route = thingRoute({ method: 'POST', body: { schema: other, limit: SMALL_BODY } as const })

    assert.throws(() => describeRoutes(route), /Thing/)
  })
})

function answer(status: number, body: unknown, headers: Record<string, string> = {}) {
  return {
    status,
    headers: new Headers({
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': 'x',
      ...headers,
    }),
    text: typeof body === 'string' ? body : JSON.stringify(body),
  }
}

describe('an answer is held against the description, which finds', () => {
  const plain = thingRoute({
    path: '/metrics',
    access: 'public',
    answer: z.string(),
    contentType: 'text/plain; version=0.0.4',
  })
  const check = createAnswerCheck(describeRoutes(thingRoute(), plain))
  const error = (code: number) => ({ code, message: 'No.', details: [] })
  const CASES: readonly (readonly [
    name: string,
    call: string,
    seen: ReturnType<typeof answer>,
    found: RegExp | undefined,
  ])[] = [
    [
      'nothing in an answer that fits',
      'GET /v1/things/x?a=b',
      answer(200, { name: 'x', size: 1 }),
      undefined,
    ],
    ['nothing in the head of one', 'HEAD /v1/things/x', answer(200, ''), undefined],
    [
      'a field that is not described',
      'GET /v1/things/x',
      answer(200, { name: 'x', colour: 'red' }),
      /additional.*colour/,
    ],
    ['a field that is missing', 'GET /v1/things/x', answer(200, {}), /name/],
    ['a field of another type', 'GET /v1/things/x', answer(200, { name: 'x', size: 'large' }), /\/size/],
    ['a status that is not described', 'GET /v1/things/x', answer(409, error(6)), /getThing.*409/],
    ['a code of another status', 'GET /v1/things/x', answer(404, error(6)), /\/code/],
    [
      'details that are not described',
      'GET /v1/things/x',
      answer(404, { ...error(5), details: [{}] }),
      /details/,
    ],
    ['a message of two lines', 'GET /v1/things/x', answer(404, { ...error(5), message: 'a\nb' }), /message/],
    ['a header that is missing', 'GET /v1/things/x', answer(503, error(14)), /Retry-After/],
    [
      'a header that is not as described',
      'GET /v1/things/x',
      answer(503, error(14), { 'retry-after': 'soon' }),
      /Retry-After/,
    ],
    [
      'another type of content',
      'GET /v1/things/x',
      answer(200, 'x', { 'content-type': 'text/plain' }),
      /text\/plain/,
    ],
    [
      'nothing in text that is described',
      'GET /metrics',
      answer(200, 'x', { 'content-type': 'text/plain; version=0.0.4' }),
      undefined,
    ],
    ['a route that is not described', 'GET /v1/secrets', answer(200, {}), /GET \/v1\/secrets answered 200/],
    ['a method that is not described', 'POST /v1/things/x', answer(200, { name: 'x' }), /POST/],
    [
      'nothing in the refusal of another method',
      'POST /v1/things/x',
      answer(405, error(12), { allow: 'GET, HEAD' }),
      undefined,
    ],
    ['nothing in the refusal of another path', 'GET /v1/secrets', answer(404, error(5)), undefined],
    ['a path that is denied and is there', 'POST /v1/things/x', answer(404, error(5)), /404/],
  ]
  for (const [name, call, seen, found] of CASES) {
    test(name, () => {
      const [method = '', target = ''] = call.split(' ')

      const problem = check(method, target, seen)

      if (found === undefined) assert.equal(problem, undefined)
      else assert.match(problem ?? '', found)
    })
  }
})
