import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, ONE_DATABASE, type RequestOptions, startWorld, type World } from '../support/world.ts'

const ONE = '/access/v1/evaluation'
const MANY = '/access/v1/evaluations'

/** The cases of AuthZEN's certification scenario (Authorization API 1.0) about requests and answers, in its terms. */
for (const kind of ONE_DATABASE) {
  describe(`AuthZEN's certification on ${kind}`, () => {
    let world: World
    let subject: { type: string; id: string }

    const read = { name: 'records.read' }
    const write = { name: 'records.write' }
    const record = { type: 'project', id: 'record-1' }
    const other = { type: 'project', id: 'record-2' }

    before(async () => {
      world = await startWorld(kind)
      await world.admin('POST', '/v1/roles?roleId=reader', { title: 'Reader', permissions: [read.name] })
      for (const id of ['record-1', 'record-2']) await world.admin('POST', `/v1/projects?projectId=${id}`, {})
      const email = await world.createIdentity([{ id: 'deploy', group: 'acme' }])
      const members = [`workloadIdentity:${email}`]
      await world.admin('POST', '/v1/projects/record-1:setIamPolicy', {
        policy: { bindings: [{ role: 'roles/reader', members }] },
      })
      subject = { type: 'workload', id: email }
    })
    after(() => world?.close())

    const send = (path: string, options: RequestOptions): Promise<Answer> =>
      world.request('POST', path, {
        ...options,
        headers: { authorization: `Bearer ${world.adminToken}`, ...options.headers },
      })
    const permitted = () => ({ subject, action: read, resource: record })

    describe('accepts', () => {
      const ACCEPTED: readonly (readonly [string, () => object])[] = [
        ['what it must have', () => permitted()],
        [
          'a context',
          () => ({ ...permitted(), context: { time: '2025-06-27T18:03-07:00', ip: '192.168.1.1' } }),
        ],
        [
          'properties',
          () => ({
            subject: { ...subject, properties: { department: 'Sales', role: null, more: [{}] } },
            action: { ...read, properties: { method: 'GET' } },
            resource: { ...record, properties: { status: 'active', owner: 'bob' } },
          }),
        ],
        ['unknown fields', () => ({ ...permitted(), foo: 'bar', futureField: { nested: true } })],
        ['unknown fields within', () => ({ ...permitted(), subject: { ...subject, foo: [1] } })],
        [
          'evaluations and options, which are another call’s',
          () => ({ ...permitted(), evaluations: 1, options: 2 }),
        ],
      ]
      for (const [name, body] of ACCEPTED) {
        test(name, async () => {
          const answer = await send(ONE, { body: body() })

          assert.equal(answer.status, 200, answer.text)
          assert.equal(answer.json.decision, true)
          assert.equal(typeof answer.json.context, 'object')
          assert.match(answer.headers.get('content-type') ?? '', /^application\/json\b/)
        })
      }

      test('a request whose decision is no with the same status', async () => {
        const answer = await send(ONE, { body: { ...permitted(), action: write } })

        assert.deepEqual([answer.status, answer.json.decision], [200, false])
      })

      test('application/json with a charset, and in another case', async () => {
        for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
          const answer = await send(ONE, { body: permitted(), headers: { 'content-type': type } })
          assert.equal(answer.status, 200, answer.text)
        }
      })

      test('the same again and again, with the same decision', async () => {
        const answers = await Promise.all(Array.from({ length: 5 }, () => send(ONE, { body: permitted() })))

        assert.ok(answers.every(({ json }) => json.decision === true))
      })
    })

    describe('refuses with 400 and a text', () => {
      const REFUSED: readonly (readonly [name: string, options: () => RequestOptions, message: RegExp])[] = [
        ['no subject', () => ({ body: { action: read, resource: record } }), /^subject is required\.$/],
        ['no action', () => ({ body: { subject, resource: record } }), /^action is required\.$/],
        ['no resource', () => ({ body: { subject, action: read } }), /^resource is required\.$/],
        [
          'no type of the subject',
          () => ({ body: { ...permitted(), subject: { id: 'x' } } }),
          /^subject\.type is required\.$/,
        ],
        [
          'no id of the subject',
          () => ({ body: { ...permitted(), subject: { type: 'token' } } }),
          /^subject\.id is required\.$/,
        ],
        [
          'no name of the action',
          () => ({ body: { ...permitted(), action: {} } }),
          /^action\.name is required\.$/,
        ],
        [
          'no type of the resource',
          () => ({ body: { ...permitted(), resource: { id: 'x' } } }),
          /^resource\.type is required\.$/,
        ],
        [
          'no id of the resource',
          () => ({ body: { ...permitted(), resource: { type: 'project' } } }),
          /^resource\.id is required\.$/,
        ],
        [
          'a subject that is a text',
          () => ({ body: { ...permitted(), subject: 'alice' } }),
          /^subject must be/,
        ],
        ['a subject that is null', () => ({ body: { ...permitted(), subject: null } }), /^subject must be/],
        [
          'a subject that is a list',
          () => ({ body: { ...permitted(), subject: [subject] } }),
          /^subject must be/,
        ],
        [
          'a name that is a number',
          () => ({ body: { ...permitted(), action: { name: 123 } } }),
          /^action\.name must be/,
        ],
        [
          'an id that is a number',
          () => ({ body: { ...permitted(), resource: { ...record, id: 1 } } }),
          /^resource\.id must be/,
        ],
        [
          'properties that are a text',
          () => ({ body: { ...permitted(), resource: { ...record, properties: 'x' } } }),
          /^resource\.properties must be/,
        ],
        [
          'a context that is a text',
          () => ({ body: { ...permitted(), context: 'now' } }),
          /^context must be/,
        ],
        [
          'a name of 256 characters',
          () => ({ body: { ...permitted(), action: { name: 'a'.repeat(256) } } }),
          /^action\.name must have at most 255/,
        ],
        [
          'another content type',
          () => ({ body: permitted(), headers: { 'content-type': 'text/plain' } }),
          /application\/json/,
        ],
        [
          'a form',
          () => ({ raw: 'subject=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
          /application\/json/,
        ],
        [
          'another charset',
          () => ({ body: permitted(), headers: { 'content-type': 'application/json; charset=latin1' } }),
          /UTF-8/,
        ],
        [
          'a compressed body',
          () => ({ body: permitted(), headers: { 'content-encoding': 'gzip' } }),
          /Content-Encoding/,
        ],
        ['no JSON', () => ({ raw: '{"subject": {"type": "user", }' }), /not JSON/],
        ['an empty body', () => ({ raw: '' }), /./],
        ['a list', () => ({ raw: '[]' }), /object/],
        ['a text', () => ({ raw: '"alice"' }), /object/],
        ['a member twice', () => ({ raw: `{"action":{"name":"a"},"action":{"name":"b"}}` }), /twice/],
        ['a member twice, once escaped', () => ({ raw: '{"action":{},"\\u0061ction":{}}' }), /twice/],
        ['half a surrogate pair', () => ({ raw: '{"action":{"name":"\\ud800"}}' }), /surrogate/],
        ['no UTF-8', () => ({ raw: Buffer.from([0x7b, 0xff, 0x7d]) }), /UTF-8/],
        ['too deep an object', () => ({ raw: `{"context":${'['.repeat(40)}${']'.repeat(40)}}` }), /deep/],
      ]
      for (const [name, options, message] of REFUSED) {
        for (const path of [ONE, MANY]) {
          test(`${name}, at ${path}`, async () => {
            const answer = await send(path, { headers: {}, ...options() })

            assert.equal(answer.status, 400, answer.text)
            assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
            assert.match(answer.text, message)
            assert.doesNotMatch(answer.text, /\n/)
          })
        }
      }

      test('what has no content type', async () => {
        const answer = await send(ONE, { raw: new Uint8Array(2), headers: { 'content-type': '' } })

        assert.equal(answer.status, 400, answer.text)
      })

      const REFUSED_MANY: readonly (readonly [string, object, RegExp])[] = [
        ['evaluations that are no list', { evaluations: {} }, /^evaluations must be/],
        ['a default that is a text', { subject: 'alice', evaluations: [{}] }, /^subject must be/],
        [
          'a default whose id is a number',
          { resource: { id: 1 }, evaluations: [{}] },
          /^resource\.id must be/,
        ],
        ['options that are a list', { options: [], evaluations: [{}] }, /^options must be/],
        [
          'another semantic',
          { options: { evaluations_semantic: 'first' }, evaluations: [{}] },
          /^options\.evaluations_semantic must be/,
        ],
      ]
      for (const [name, body, message] of REFUSED_MANY) {
        test(name, async () => {
          const answer = await send(MANY, { body })

          assert.equal(answer.status, 400, answer.text)
          assert.match(answer.text, message)
        })
      }
    })

    test('a body over 32 KiB is refused as such', async () => {
      const answer = await send(ONE, { body: { ...permitted(), context: { text: 'x'.repeat(33_000) } } })

      assert.equal(answer.status, 413)
      assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
    })

    test('only POST evaluates', async () => {
      for (const path of [ONE, MANY]) assert.equal((await world.request('GET', path)).status, 405)
    })

    describe('the id of a request', () => {
      const IDS = [
        'bfe9eb29-ab87-4ca3-be83-a1d5d8305716',
        'a b/c=d; "e" \\f*?[g]',
        'x'.repeat(1_000),
        'straße'.normalize('NFC'),
      ]
      for (const id of IDS) {
        test(`comes back as it is: ${id.slice(0, 40)}`, async () => {
          const bodies = [{ body: permitted() }, { raw: '{' }]
          for (const options of bodies) {
            const answer = await send(ONE, { ...options, headers: { 'x-request-id': id } })
            assert.equal(answer.headers.get('x-request-id'), id)
          }
        })
      }

      test('is recorded where it can be read', async () => {
        const { json } = await send(ONE, { body: permitted(), headers: { 'x-request-id': 'pep/42 [a]' } })

        const decision = await world.admin('GET', `/v1/decisions/${json.context.decisionId}`)

        assert.equal(decision.json.requestId, 'pep/42 [a]')
      })

      test('is made where there is none', async () => {
        const answer = await send(ONE, { body: permitted() })

        assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
      })
    })

    describe('many evaluations', () => {
      const decisions = async (body: object): Promise<readonly boolean[]> => {
        const answer = await send(MANY, { body })
        assert.equal(answer.status, 200, answer.text)
        assert.equal(Object.hasOwn(answer.json, 'decision'), false)
        return answer.json.evaluations.map((each: { decision: boolean }) => each.decision)
      }

      test('have the defaults of their request, each of which one may give itself', async () => {
        assert.deepEqual(
          await decisions({
            subject,
            action: read,
            evaluations: [{ resource: record }, { resource: other }],
          }),
          [true, false],
        )
        assert.deepEqual(
          await decisions({ subject, resource: record, evaluations: [{ action: read }, { action: write }] }),
          [true, false],
        )
        assert.deepEqual(
          await decisions({
            ...permitted(),
            evaluations: [{}, { resource: other }, { subject: { type: 'user', id: 'bob' } }],
          }),
          [true, false, false],
        )
      })

      test('need none', async () => {
        assert.deepEqual(await decisions({ evaluations: [permitted(), { ...permitted(), action: write }] }), [
          true,
          false,
        ])
      })

      test('have the type or id of the default where they give only the other', async () => {
        const body = { subject: { type: 'workload' }, action: read, resource: { type: 'project' } }

        assert.deepEqual(
          await decisions({
            ...body,
            evaluations: [
              { subject: { id: subject.id }, resource: { id: 'record-1', properties: {} } },
              { subject: { id: subject.id }, resource: { type: 'workspace', id: 'default' } },
            ],
          }),
          [true, false],
        )
      })

      test('have the context of the request, or their own', async () => {
        const context = { time: '2025-06-27T18:03-07:00' }
        const evaluations = [{ resource: record }, { resource: other, context: { source: 'own' } }]

        assert.equal((await decisions({ subject, action: read, context, evaluations })).length, 2)
      })

      test('are one evaluation where there are none', async () => {
        for (const more of [{}, { evaluations: [] }]) {
          const answer = await send(MANY, { body: { ...permitted(), ...more } })
          assert.equal(answer.status, 200, answer.text)
          assert.equal(answer.json.decision, true)
          assert.equal(Object.hasOwn(answer.json, 'evaluations'), false)
        }
      })

      const BROKEN: readonly (readonly [string, unknown])[] = [
        ['lacks a resource', {}],
        ['has a resource of another type', { resource: 'record-1' }],
        ['has a resource that is null', { resource: null }],
        ['has a subject without an id', { resource: record, subject: { type: 'workload' } }],
        ['is a text', 'x'],
        ['is null', null],
        ['is a list', []],
      ]
      for (const [name, broken] of BROKEN) {
        test(`are answered where one ${name}, that one with an error`, async () => {
          const body = { action: read, evaluations: [{ subject, resource: record }, broken] }

          const answer = await send(MANY, { body })

          assert.equal(answer.status, 200, answer.text)
          const [good, bad] = answer.json.evaluations
          assert.deepEqual([good.decision, bad.decision], [true, false])
          assert.equal(bad.context.error.status, 400)
          assert.match(bad.context.error.message, /^evaluations\[1\]/)
        })
      }
    })

    describe('the metadata', () => {
      test('name the decision point by the public URL, and where it is asked', async () => {
        const answer = await world.request('GET', '/.well-known/authzen-configuration')

        assert.equal(answer.status, 200)
        assert.deepEqual(answer.json, {
          policy_decision_point: 'https://claimgate.example.com',
          access_evaluation_endpoint: 'https://claimgate.example.com/access/v1/evaluation',
          access_evaluations_endpoint: 'https://claimgate.example.com/access/v1/evaluations',
        })
        assert.match(answer.headers.get('content-type') ?? '', /^application\/json\b/)
        assert.equal(answer.headers.get('cache-control'), 'public, max-age=300')
        assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      })
    })

    test('no answer and no log of an evaluation holds the token that it is about', async () => {
      const { accessToken } = (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), subject.id))
        .json
      const about = { type: 'token', id: accessToken }

      const answers = [
        await send(ONE, { body: { ...permitted(), subject: about } }),
        await send(ONE, { body: { ...permitted(), subject: { ...about, type: accessToken.slice(0, 300) } } }),
        await send(MANY, {
          body: {
            ...permitted(),
            evaluations: [{ subject: about }, { subject: { id: accessToken, type: 1 } }],
          },
        }),
      ]

      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 400, 200],
      )
      for (const { text } of answers) assert.ok(!text.includes(accessToken.slice(-40)), text)
    })
  })
}
