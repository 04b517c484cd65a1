import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of DATABASES) {
  describe(`administering identities and issuers on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const body = (config: object = {}, more: object = {}) => ({
      title: 'GitLab Deploy',
      workloadIdentityConfig: {
        providerType: 'GITLAB',
        issuerUrl: world.gitlab.issuerUrl,
        rules: [RULE],
        ...config,
      },
      ...more,
    })
    const create = (id: string, identity: unknown = body()) =>
      world.admin('POST', `${IDENTITIES}?workloadIdentityId=${id}`, identity)
    const get = (email: string) => world.admin('GET', `/v1/workloadIdentities/${email}`)
    const remove = (email: string) => world.admin('DELETE', `/v1/workloadIdentities/${email}`)

    test('an identity is created with every default written out, and read back as it was answered', async () => {
      const created = await create('gitlab-deploy')
      const email = `gitlab-deploy@${IDENTITY_DOMAIN}`
      const read = await get(email)

      assert.equal(created.status, 200, created.text)
      assertSafeHeaders(created)
      const { etag, createTime, updateTime, policyDigest, notices, ...rest } = created.json
      assert.deepEqual(rest, {
        name: `workloadIdentities/${email}`,
        email,
        title: 'GitLab Deploy',
        state: 'ACTIVE',
        tokenLifetimeSeconds: 3600,
        subjectTokenUse: 'ONCE',
        tokenAudiences: [],
        recordedClaims: [],
        workloadIdentityConfig: {
          providerType: 'GITLAB',
          issuerUrl: world.gitlab.issuerUrl,
          allowedAudiences: [world.gitlab.issuerUrl],
          rules: [
            {
              id: 'rule-1',
              title: '',
              disabled: false,
              group: 'acme',
              project: 'app',
              refs: [{ type: 'BRANCH', pattern: 'main' }],
              protectedRefsOnly: true,
              mergeRequests: 'NONE',
              pipelineSources: ['push', 'web', 'schedule', 'api'],
              claims: {},
              ids: { projectIds: [], namespaceIds: [] },
              roles: [],
            },
          ],
        },
      })
      assert.match(etag, /^\d+$/)
      assert.equal(createTime, new Date(world.clock()).toISOString())
      assert.equal(updateTime, createTime)
      assert.match(policyDigest, /^sha256:[0-9a-f]{64}$/)
      assert.match(notices.join(), /registered as issuers\/i-127-0-0-1-\d+/)
      const { notices: _, ...withoutNotices } = created.json
      assert.deepEqual(read.json, withoutNotices)
    })

    test('the defaults of a rule without refs admit every ref and merge requests of the project', async () => {
      const created = await create('all-refs', body({ rules: [{ group: 'acme' }] }))

      const [rule] = created.json.workloadIdentityConfig.rules
      assert.equal(rule.protectedRefsOnly, false)
      assert.equal(rule.mergeRequests, 'SAME_PROJECT')
    })

    test('what was answered can be given back and means the same', async () => {
      const first = await create('first')
      const { name: _name, email: _email, ...rest } = first.json

      const second = await create('second', rest)

      assert.equal(second.status, 200, second.text)
      assert.deepEqual(second.json.workloadIdentityConfig, first.json.workloadIdentityConfig)
      assert.equal(second.json.policyDigest, first.json.policyDigest, 'equal rules have one policy')
    })

    test('an email that lives is taken, also for the loser of a race', async () => {
      await create('taken')

      const again = await create('taken')
      const race = await Promise.all(Array.from({ length: 5 }, () => create('raced')))

      assertProblem(again, 409, 6, /taken/)
      assert.deepEqual(race.map(({ status }) => status).sort(), [200, 409, 409, 409, 409])
    })

    test('identities that are made at once for one new issuer all succeed, and register it once', async () => {
      const issuerUrl = 'https://gitlab.at-once.example.com'
      const config = { providerType: 'GITLAB', issuerUrl, rules: [{ group: 'acme' }] }

      const made = await Promise.all(
        Array.from({ length: 5 }, (_, i) =>
          world.admin('POST', `/v1/workspaces/default/workloadIdentities?workloadIdentityId=at-once-${i}`, {
            workloadIdentityConfig: config,
          }),
        ),
      )

      assert.deepEqual(
        made.map(({ status }) => status),
        Array(5).fill(200),
      )
      assert.equal(made.filter(({ json }) => json.notices?.join().includes('at-once')).length, 1)
    })

    test('a deleted identity is shown as deleted, exchanges nothing, and its email can be given anew', async () => {
      const email = await world.createIdentity([RULE], { id: 'mortal' })
      const before = (await get(email)).json

      const deleted = await remove(email)
      const refused = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const shown = (await get(email)).json
      const again = await remove(email)
      const recreated = await create('mortal')
      const allowed = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)

      assert.equal(deleted.status, 200)
      assert.deepEqual(deleted.json, {})
      assertProblem(refused, 401, 16, 'Token exchange denied.')
      assert.equal(shown.state, 'DELETED')
      assert.notEqual(shown.etag, before.etag)
      assertProblem(again, 404, 5, /deleted already/)
      assert.equal(recreated.json.state, 'ACTIVE')
      assert.notEqual(recreated.json.etag, shown.etag)
      assert.equal(allowed.status, 200, allowed.text)
    })

    test('a change holds for the next exchange on every instance', async () => {
      if (kind === 'embedded') return
      const email = await world.createIdentity([RULE])
      const other = await world.startInstance()
      const exchangeThere = () =>
        world.request('POST', '/v1/auth:exchangeToken', {
          url: other.url,
          body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
        })
      assert.equal((await exchangeThere()).status, 200)

      await remove(email)

      assertProblem(await exchangeThere(), 401, 16, 'Token exchange denied.')
      await create(email.split('@')[0] ?? '', body({ rules: [{ ...RULE, project: 'other' }] }))
      assertProblem(await exchangeThere(), 403, 7, /Condition project/)
    })

    test('an identity that is not made leaves nothing behind', async () => {
      const issuerUrl = 'https://gitlab.left-behind.example'
      await create('present')

      const taken = await create('present', body({ issuerUrl }))
      const wrong = await create('absent', body({ issuerUrl, rules: [{ group: '' }] }))

      assertProblem(taken, 409, 6, /./)
      assertProblem(wrong, 400, 3, /workloadIdentityConfig\.rules\[0\]\.group/)
      assertProblem(await world.admin('GET', '/v1/issuers/gitlab-left-behind-example'), 404, 5, /./)
      assertProblem(await get(`absent@${IDENTITY_DOMAIN}`), 404, 5, /./)
    })

    test('an id is lower case and short, and is never folded', async () => {
      const ids = [
        '',
        'Deploy',
        '1st',
        '-a',
        'a-',
        'a_b',
        'a.b',
        'a@b',
        'a'.repeat(64),
        'ä',
        'a%20b',
        'a%00b',
      ]
      for (const id of ids) {
        const answer = await create(id)

        assertProblem(answer, 400, 3, /workloadIdentityId/)
      }
    })

    const LATER: readonly (readonly [
      name: string,
      method: string,
      path: string,
      sent: () => unknown,
      names: RegExp,
    ])[] = [
      [
        'conditions',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({ conditions: 'package claimgate.conditions' }),
        /workloadIdentityConfig\.conditions .*not supported yet/,
      ],
      [
        'conditions beside the config',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({}, { conditions: '' }),
        /conditions .*not supported yet/,
      ],
      [
        'tests',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({ tests: [] }),
        /workloadIdentityConfig\.tests .*not supported yet/,
      ],
      [
        'tests beside the config',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({}, { tests: [] }),
        /tests .*not supported yet/,
      ],
      [
        'GitHub',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x`,
        () => body({ providerType: 'GITHUB' }),
        /providerType.*GITHUB is not supported yet/,
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
        'acknowledge',
        'POST',
        `${IDENTITIES}?workloadIdentityId=x&acknowledge=y`,
        () => body(),
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
        'an issuer of GitHub',
        'POST',
        '/v1/issuers?issuerId=github',
        () => ({ issuerUrl: 'https://x.example', providerType: 'GITHUB' }),
        /providerType/,
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
    for (const [name, method, path, sent, names] of LATER) {
      test(`${name}, which comes later, is refused by name and not ignored`, async () => {
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

    test('calls that come later are none of this service yet', async () => {
      const email = await world.createIdentity([RULE])
      const notAllowed = [['PUT', `/v1/workloadIdentities/${email}`]] as const
      const notFound = [
        ['POST', `/v1/workloadIdentities/${email}:evaluate`],
        ['POST', '/v1/workloadIdentities:validate'],
        ['GET', `/v1/workloadIdentities/${email}/policyVersions`],
        ['POST', '/v1/workspaces/other/workloadIdentities?workloadIdentityId=x'],
        ['GET', '/v1/roles'],
        ['GET', '/v1/guardrails'],
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

    test('a body over 512 KiB is refused, one over 32 KiB only where no rules are carried', async () => {
      const padded = (size: number) => body({}, { updateTime: 'x'.repeat(size) })

      const identity = await create('padded', padded(100 * 1024))
      const tooLarge = await create('too-large', padded(512 * 1024))
      const issuer = await world.admin('POST', '/v1/issuers?issuerId=large', { title: 'x'.repeat(32 * 1024) })

      assert.equal(identity.status, 200, identity.text)
      assertProblem(tooLarge, 413, 3, /512 KiB/)
      assertProblem(issuer, 413, 3, /32 KiB/)
    })

    test('an issuer is registered without being reached, with defaults written out', async () => {
      const created = await world.admin('POST', '/v1/issuers?issuerId=self-hosted', {
        issuerUrl: 'https://gitlab.self-hosted.example',
        providerType: 'GITLAB',
      })
      const read = await world.admin('GET', '/v1/issuers/self-hosted')

      assert.equal(created.status, 200, created.text)
      const { etag, createTime, updateTime, ...rest } = created.json
      assert.deepEqual(rest, {
        name: 'issuers/self-hosted',
        issuerUrl: 'https://gitlab.self-hosted.example',
        title: 'https://gitlab.self-hosted.example',
        providerType: 'GITLAB',
        state: 'ACTIVE',
        algorithms: ['RS256'],
        keys: { fetchTime: null, keyIds: [], lastError: null },
      })
      assert.ok(createTime === updateTime)
      assert.equal(created.headers.get('etag'), `"${etag}"`)
      assert.deepEqual(read.json, created.json)
    })

    test('an issuer tells which keys it has, and why it has none', async () => {
      await world.createIdentity([RULE])
      const id = `i-127-0-0-1-${new URL(world.gitlab.issuerUrl).port}`
      const email = await world.createIdentity([RULE])
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const reached = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys

      world.gitlab.behave({ jwks: { status: 500, body: 'secret of the inside network' } })
      world.clock.advance(3_600_000 * 2)
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const lost = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys
      world.gitlab.behave()
      world.clock.advance(60_000)
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const back = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys

      assert.deepEqual(reached.keyIds, [world.gitlab.key.kid])
      assert.equal(reached.lastError, null)
      assert.match(lost.lastError, /not 200/)
      assert.doesNotMatch(JSON.stringify(lost), /secret/)
      assert.equal(back.lastError, null)
      assert.equal(back.fetchTime, new Date(world.clock()).toISOString())
    })

    test('an issuer that cannot be trusted is refused, and says why', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const jwk = (key: typeof publicKey, more = {}) => ({
        ...key.export({ format: 'jwk' }),
        kid: 'k',
        ...more,
      })
      const keys = (...list: object[]) => ({ jwks: { keys: list } })
      const cases: readonly (readonly [body: Record<string, unknown>, names: RegExp])[] = [
        [{ issuerUrl: 'http://gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: 'https://127.0.0.1' }, /issuerUrl/],
        [{ issuerUrl: 'https://127.1' }, /issuerUrl/],
        [{ issuerUrl: 'https://0x7f000001' }, /issuerUrl/],
        [{ issuerUrl: 'https://①②⑦.⓪.⓪.①' }, /issuerUrl/],
        [{ issuerUrl: 'https://[::1]' }, /issuerUrl/],
        [{ issuerUrl: 'https://user@gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: 'https://gitlab.example?x' }, /issuerUrl/],
        [{ issuerUrl: 'https://gitlab.example#' }, /issuerUrl/],
        [{ issuerUrl: `https://gitlab.example/${'a'.repeat(255)}` }, /issuerUrl/],
        [{ issuerUrl: 'https://claimgate.example.com' }, /issuerUrl.*own/],
        [{ issuerUrl: 'https://claimgate.example.com:443/' }, /issuerUrl/],
        [{ issuerUrl: 'ftp://gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: '' }, /issuerUrl/],
        [{ issuerUrl: 1 }, /issuerUrl/],
        [{ issuerUrl: undefined }, /issuerUrl/],
        [{ providerType: undefined }, /providerType/],
        [{ algorithms: ['none'] }, /algorithms/],
        [{ algorithms: ['HS256'] }, /algorithms/],
        [{ algorithms: [] }, /algorithms/],
        [{ algorithms: 'RS256' }, /algorithms/],
        [{ title: 'a\\b' }, /title/],
        [{ title: 'a\nb' }, /title/],
        [{ state: 'DISABLED' }, /state/],
        [{ issuer: 'x' }, /issuer/],
        [keys(), /jwks/],
        [keys(jwk(privateKey)), /jwks/],
        [keys({ kty: 'oct', k: 'AAAA', kid: 'k' }), /jwks/],
        [{ jwks: [] }, /jwks/],
        [{ jwks: { keys: 'x' } }, /jwks/],
      ]
      for (const [change, names] of cases) {
        const answer = await world.admin('POST', '/v1/issuers?issuerId=untrusted', {
          issuerUrl: 'https://untrusted.example',
          providerType: 'GITLAB',
          ...change,
        })

        assertProblem(answer, 400, 3, names)
        assert.doesNotMatch(answer.text, /"d"|\bPRIVATE\b/)
      }
      assertProblem(await world.admin('GET', '/v1/issuers/untrusted'), 404, 5, /./)
    })

    test('static keys that will never verify a token are told of', async () => {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
      const jwk = (kid: string, key: typeof publicKey, more = {}) => ({
        ...key.export({ format: 'jwk' }),
        kid,
        ...more,
      })
      const keys = [
        jwk('good', publicKey),
        jwk('small', small),
        jwk('for-encryption', publicKey, { use: 'enc' }),
        jwk('twice', publicKey),
        jwk('twice', publicKey),
      ]

      const created = await world.admin('POST', '/v1/issuers?issuerId=partly', {
        issuerUrl: 'https://partly.example',
        providerType: 'GITLAB',
        jwks: { keys },
      })
      const read = await world.admin('GET', '/v1/issuers/partly')

      assert.equal(created.status, 200, created.text)
      const notices = created.json.notices.join(' ')
      for (const told of [/small .*1024 bits/, /for-encryption/, /twice/]) assert.match(notices, told)
      assert.doesNotMatch(notices, /\bgood\b/)
      assert.deepEqual(read.json.keys.keyIds, ['good'])
    })

    test("an issuer's id and URL are each taken once", async () => {
      const register = (id: string, issuerUrl: string) =>
        world.admin('POST', `/v1/issuers?issuerId=${id}`, { issuerUrl, providerType: 'GITLAB' })
      assert.equal((await register('one', 'https://one.example')).status, 200)

      assertProblem(await register('one', 'https://two.example'), 409, 6, /./)
      assertProblem(await register('two', 'https://one.example'), 409, 6, /./)
      assert.equal(
        (await register('two', 'https://one.example/')).status,
        200,
        'exact comparison, no slash folding',
      )
      for (const id of ['', 'One', '1', 'a-', 'a'.repeat(64), 'a/b']) {
        assertProblem(await register(id, 'https://three.example'), 400, 3, /issuerId/)
      }
    })

    test('without the admin token nothing is answered, whatever is asked', async () => {
      const email = await world.createIdentity([RULE])
      const calls = [
        ['POST', `${IDENTITIES}?workloadIdentityId=x`],
        ['GET', `/v1/workloadIdentities/${email}`],
        ['GET', `/v1/workloadIdentities/nobody@${IDENTITY_DOMAIN}`],
        ['DELETE', `/v1/workloadIdentities/${email}`],
        ['GET', `/v1/workloadIdentities/${email}/policy`],
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
