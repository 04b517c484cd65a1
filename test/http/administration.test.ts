import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { identityBody } from '../support/identity-body.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of ONE_DATABASE) {
  describe(`administration on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const body = (config?: object, more?: object) => identityBody(world.gitlab.issuerUrl, config, more)
    const create = (id: string, identity: unknown) =>
      world.admin('POST', `${IDENTITIES}?workloadIdentityId=${id}`, identity)
    const get = (email: string) => world.admin('GET', `/v1/workloadIdentities/${email}`)

    const REFUSED: readonly (readonly [
      name: string,
      method: string,
      path: string,
      sent: () => unknown,
      names: RegExp,
    ])[] = [
      [
        'conditions beside the config',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({}, { conditions: '' }),
        /conditions goes into workloadIdentityConfig/,
      ],
      [
        'tests',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({ tests: [] }),
        /workloadIdentityConfig\.tests .*beside workloadIdentityConfig/,
      ],
      [
        'an unknown field',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({}, { tittle: 'x' }),
        /tittle .*title/,
      ],
      [
        'an unknown field of a rule',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({ rules: [{ ...RULE, branch: 'main' }] }),
        /rules\[0\]\.branch/,
      ],
      [
        'acknowledge where there is nothing to acknowledge',
        'DELETE',
        `/v1/workloadIdentities/x@${IDENTITY_DOMAIN}?acknowledge=y`,
        () => undefined,
        /'acknowledge'/,
      ],
      [
        'validateOnly',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x&validateOnly=true`,
        () => body(),
        /'validateOnly'/,
      ],
      [
        'an id given twice',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x&workloadIdentityId=y`,
        () => body(),
        /'workloadIdentityId'.*twice/,
      ],
      [
        'showDeleted',
        'GET',
        `/v1/workloadIdentities/x@${IDENTITY_DOMAIN}?showDeleted=true`,
        () => undefined,
        /'showDeleted'/,
      ],
      [
        'updateMask',
        'DELETE',
        `/v1/workloadIdentities/x@${IDENTITY_DOMAIN}?updateMask=title`,
        () => undefined,
        /'updateMask'/,
      ],
      ...['filter', 'orderBy', 'Identity'].map(
        (name) =>
          [
            `the filter ${name}`,
            'GET',
            `/v1/decisions?${name}=x`,
            () => undefined,
            new RegExp(`'${name}'`),
          ] as const,
      ),
    ]
    for (const [name, method, path, sent, names] of REFUSED) {
      test(`${name} is refused by name and not ignored`, async () => {
        const answer = await world.admin(method, path, sent())

        assertProblem(answer, 400, 3, names)
      })
    }

    test('If-Match is refused by name where there is nothing yet that could have an etag', async () => {
      const headers = { authorization: `Bearer ${world.adminToken}`, 'if-match': '"1"' }

      const answers = [
        await world.request('POST', `${IDENTITIES}?workloadIdentityId=matched`, { headers, body: body() }),
        await world.request('POST', '/v1/issuers?issuerId=matched', { headers, body: {} }),
      ]

      for (const answer of answers) assertProblem(answer, 400, 3, /If-Match/)
      assertProblem(await get(`matched@${IDENTITY_DOMAIN}`), 404, 5, /./)
    })

    test('what is no call of this service is not found, or not allowed', async () => {
      const email = await world.createIdentity([RULE])
      const notAllowed = [['PUT', `/v1/workloadIdentities/${email}`]] as const
      const notFound = [
        ['POST', `/v1/workloadIdentities/${email}:validate`],
        ['POST', '/v1/workspaces/other/workloadIdentities?workloadIdentityId=x'],
        ['GET', '/v1/roles/auditor/members'],
      ] as const

      for (const [method, path] of notAllowed) {
        const answer = await world.admin(method, path, {})
        assertProblem(answer, 405, 12, /./)
        assert.ok(answer.headers.get('allow'))
      }
      for (const [method, path] of notFound) {
        assertProblem(await world.admin(method, path, method === 'GET' ? undefined : {}), 404, 5, /./)
      }
    })

    test('what is wrong with a body, a parameter or the admin token is said as it is', async () => {
      const send = (text: string) => {
        const headers = { Authorization: `Bearer ${world.adminToken}` }
        return world.request('POST', '/v1/projects?projectId=said', { headers, raw: text })
      }
      const list = (headers: Record<string, string>) => world.request('GET', '/v1/projects', { headers })

      assertProblem(await send('{'), 400, 3, 'The body is not JSON.')
      assertProblem(await send('{"title":"a","title":"b"}'), 400, 3, 'The body has a member twice.')
      assertProblem(
        await world.admin('GET', '/v1/projects?pagesize=2'),
        400,
        3,
        "The parameter 'pagesize' is not supported here: the nearest is pageSize.",
      )
      assertProblem(
        await world.admin('GET', '/v1/projects?colour=red'),
        400,
        3,
        "The parameter 'colour' is not supported here.",
      )
      assertProblem(await list({}), 401, 16, /^This needs an admin token/)
      assertProblem(
        await list({ Authorization: `Bearer ${'x'.repeat(40)}` }),
        401,
        16,
        /is neither an admin token that is good now nor an access token/,
      )
    })

    test('a body over 512 KiB is refused, one over 32 KiB only where no rules are carried', async () => {
      const padded = (size: number) => body({}, { updateTime: 'x'.repeat(size) })

      const identity = await create('padded', padded(100 * 1024))
      const tooLarge = await create('too-large', padded(512 * 1024))
      const issuer = await world.admin('POST', '/v1/issuers?issuerId=large', { title: 'x'.repeat(32 * 1024) })

      assert.equal(identity.status, 200, identity.text)
      assertProblem(tooLarge, 413, 3, /512 KiB/)
      assertProblem(issuer, 413, 3, /32 KiB/)
    })

    test('without the admin token nothing is answered, whatever is asked', async () => {
      const email = await world.createIdentity([RULE])
      const calls = [
        ['POST', `${IDENTITIES}?workloadIdentityId=x`],
        ['GET', `/v1/workloadIdentities/${email}`],
        ['GET', `/v1/workloadIdentities/nobody@${IDENTITY_DOMAIN}`],
        ['DELETE', `/v1/workloadIdentities/${email}`],
        ['GET', `/v1/workloadIdentities/${email}/policy`],
        ['POST', `/v1/workloadIdentities/${email}:evaluate`],
        ['GET', `/v1/workloadIdentities/${email}:suggestChanges`],
        ['POST', '/v1/workloadIdentities:validate'],
        ['POST', '/v1/issuers?issuerId=x'],
        ['GET', '/v1/issuers/x'],
        ['GET', '/v1/decisions'],
        ['GET', '/v1/decisions?nonsense=1'],
        ['GET', '/v1/decisions/x'],
        ['GET', '/v1/projects/p/workloadIdentities'],
      ] as const
      const credentials = [
        undefined,
        '',
        'Bearer',
        'Bearer ',
        'Bearer null',
        `Bearer ${world.adminToken.slice(0, -1)}`,
        `Bearer ${world.adminToken}x`,
        `Bearer ${world.adminToken.toUpperCase()}`,
        `Basic ${world.adminToken}`,
        world.adminToken,
      ]
      for (const [method, path] of calls) {
        for (const authorization of credentials) {
          const answer = await world.request(method, path, {
            ...(method === 'POST' && { raw: 'not looked at' }),
            headers: authorization === undefined ? {} : { authorization },
          })

          assertProblem(answer, 401, 16, /admin token/)
        }
      }
      assert.equal((await get(email)).json.state, 'ACTIVE')
    })
  })
}
