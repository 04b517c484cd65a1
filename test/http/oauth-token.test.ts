import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { assertOAuthError, sendForm } from '../support/oauth.ts'
import { freePort } from '../support/postgres.ts'
import { type Answer, DATABASES, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TYPE = 'urn:ietf:params:oauth:token-type:'
const RULE = { id: 'deploy', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }

for (const kind of DATABASES) {
  describe(`the token endpoint on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE], {
        id: 'deploy',
        identity: { tokenAudiences: ['urn:service', 'https://service.example.com/api'] },
      })
    })
    after(() => world?.close())

    const jobToken = (claims: Record<string, unknown> = {}) =>
      world.gitlab.signToken(gitlabClaims('18.4', claims))
    const good = (more: Record<string, string> = {}) => ({
      grant_type: GRANT,
      client_id: email,
      subject_token: jobToken(),
      subject_token_type: `${TYPE}id_token`,
      ...more,
    })
    const exchange = (form: Parameters<typeof sendForm>[2], headers?: Record<string, string>) =>
      sendForm(world, '/oauth2/token', form, headers)
    const claimsOf = (answer: Answer) =>
      JSON.parse(Buffer.from(answer.json.access_token.split('.')[1], 'base64url').toString())

    test('a job gets what the exchange gives, in the words of RFC 8693', async () => {
      const answer = await exchange(good())

      assert.equal(answer.status, 200, answer.text)
      const { access_token: token, ...rest } = answer.json
      assert.deepEqual(rest, {
        issued_token_type: `${TYPE}access_token`,
        token_type: 'Bearer',
        expires_in: 3600,
      })
      assertSafeHeaders(answer)
      assert.equal(answer.headers.get('pragma'), 'no-cache')
      const me = await world.request('GET', '/v1/users/me', { headers: { authorization: `Bearer ${token}` } })
      assert.equal(me.json.email, email)
      const decision = await world.lastDecision(email)
      assert.equal(decision.name, `decisions/${claimsOf(answer).jti}`)
      assert.deepEqual([decision.kind, decision.outcome], ['EXCHANGE', 'ALLOWED'])
    })

    const AS_GOOD: Readonly<Record<string, Record<string, string>>> = {
      'the subject token is called a jwt': { subject_token_type: `${TYPE}jwt` },
      'an access token is asked for': { requested_token_type: `${TYPE}access_token` },
      'our own audience is asked for': { audience: 'https://claimgate.example.com' },
      'parameters stand there without a value': { scope: '', audience: '', actor_token: '', resource: '' },
      'there is a parameter that nobody knows': { colour: 'red', __proto__x: '1' },
    }
    for (const [name, more] of Object.entries(AS_GOOD)) {
      test(`it is the same where ${name}`, async () => {
        const answer = await exchange(good(more))

        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.json.issued_token_type, `${TYPE}access_token`)
        assert.equal(claimsOf(answer).aud, 'https://claimgate.example.com')
      })
    }

    test('a JWT is answered as one where it is asked for', async () => {
      const answer = await exchange(good({ requested_token_type: `${TYPE}jwt` }))

      assert.equal(answer.json.issued_token_type, `${TYPE}jwt`, answer.text)
    })

    for (const [name, audience, form] of [
      ['an audience', 'urn:service', [['audience', 'urn:service']]],
      ['a resource', 'urn:service', [['resource', 'urn:service']]],
      [
        'both, for the same',
        'https://service.example.com/api',
        [
          ['audience', 'https://service.example.com/api'],
          ['resource', 'https://service.example.com/api'],
          ['resource', 'https://service.example.com/api'],
        ],
      ],
    ] as const) {
      test(`a token for a service behind is had by ${name}`, async () => {
        const answer = await exchange([...Object.entries(good()), ...form])

        assert.equal(answer.status, 200, answer.text)
        assert.equal(claimsOf(answer).aud, audience)
      })
    }

    const REFUSED: readonly (readonly [
      name: string,
      error: string,
      description: RegExp,
      change: (form: Record<string, string>) => object,
    ])[] = [
      ['no grant type', 'invalid_request', /grant_type is required/, (form) => without(form, 'grant_type')],
      [
        'the grant of a refresh token',
        'unsupported_grant_type',
        /grant_type/,
        () => ({ grant_type: 'refresh_token', refresh_token: 'x' }),
      ],
      ['client credentials', 'unsupported_grant_type', /./, () => ({ grant_type: 'client_credentials' })],
      ['no client_id', 'invalid_request', /client_id is required/, (form) => without(form, 'client_id')],
      ['a client_id that is no email', 'invalid_request', /client_id/, () => ({ client_id: 'deploy' })],
      [
        'no subject token',
        'invalid_request',
        /subject_token is required/,
        (form) => without(form, 'subject_token'),
      ],
      [
        'no type of the subject token',
        'invalid_request',
        /subject_token_type is required/,
        (form) => without(form, 'subject_token_type'),
      ],
      ...['access_token', 'refresh_token', 'saml2', 'JWT'].map(
        (type) =>
          [
            `a subject token of type ${type}`,
            'invalid_request',
            /subject_token_type must be/,
            () => ({ subject_token_type: TYPE + type }),
          ] as const,
      ),
      [
        'a subject token that is not what it is called',
        'invalid_request',
        /malformed|three parts/,
        () => ({ subject_token: 'x' }),
      ],
      [
        'an actor token',
        'invalid_request',
        /actor_token is not supported/,
        () => ({ actor_token: jobToken(), actor_token_type: `${TYPE}jwt` }),
      ],
      [
        'the type of an actor token alone',
        'invalid_request',
        /actor_token/,
        () => ({ actor_token_type: `${TYPE}jwt` }),
      ],
      ...['refresh_token', 'id_token', 'saml2'].map(
        (type) =>
          [
            `a request for a token of type ${type}`,
            'invalid_request',
            /requested_token_type/,
            () => ({ requested_token_type: TYPE + type }),
          ] as const,
      ),
      ['a scope', 'invalid_scope', /scope/, () => ({ scope: 'openid' })],
      ['a client secret', 'invalid_client', /client/i, () => ({ client_secret: 'x' })],
      ['a client assertion', 'invalid_client', /client/i, () => ({ client_assertion: 'x.y.z' })],
      [
        'an audience that is not among the identity’s',
        'invalid_target',
        /urn:other/,
        () => ({ audience: 'urn:other' }),
      ],
      ['a resource that is not', 'invalid_target', /urn:other/, () => ({ resource: 'urn:other' })],
      ['a resource that is no absolute URI', 'invalid_target', /absolute/, () => ({ resource: '/api' })],
      [
        'a resource with a fragment',
        'invalid_target',
        /fragment/,
        () => ({ resource: 'https://service.example.com/api#a' }),
      ],
      [
        'two audiences',
        'invalid_target',
        /one audience/,
        () => ({ audience: 'urn:service', resource: 'https://service.example.com/api' }),
      ],
    ]
    for (const [name, error, description, change] of REFUSED) {
      test(`${name} is refused: ${error}`, async () => {
        const subject = jobToken()
        const form = { ...good(), subject_token: subject }
        const { without: left, ...more } = change(form) as { without?: Record<string, string> }

        const answer = await exchange({ ...(left ?? form), ...more })

        assertOAuthError(answer, 400, error, description)
        assert.equal((await world.exchange(subject, email)).status, 200, 'the token was used up')
      })
    }

    for (const name of [
      'grant_type',
      'client_id',
      'subject_token',
      'subject_token_type',
      'scope',
      'colour',
    ] as const) {
      test(`${name} given twice is refused`, async () => {
        const form = { colour: 'red', scope: '', ...good() }

        const answer = await exchange([...Object.entries(form), [name, form[name]]])

        assertOAuthError(answer, 400, 'invalid_request', new RegExp(`'${name}' is given 2 times`))
      })
    }

    test('a body that is no form, too large or of another type is refused as OAuth has it', async () => {
      const send = (raw: string | Uint8Array, type = 'application/x-www-form-urlencoded') =>
        world.request('POST', '/oauth2/token', { raw, headers: { 'content-type': type } })
      const form = new URLSearchParams(good()).toString()

      assertOAuthError(await send(JSON.stringify(good()), 'application/json'), 415, 'invalid_request', /form/)
      assertOAuthError(await send(form, 'multipart/form-data; boundary=x'), 415, 'invalid_request', /form/)
      assertOAuthError(
        await send(form, 'application/x-www-form-urlencoded; charset=utf-16'),
        415,
        'invalid_request',
        /UTF-8/,
      )
      assertOAuthError(await send(`${form}&x=${'y'.repeat(33_000)}`), 413, 'invalid_request', /32 KiB/)
      for (const broken of ['%', '%zz', '%ff%fe', '%ed%a0%80']) {
        assertOAuthError(await send(`${form}&x=${broken}`), 400, 'invalid_request', /UTF-8/)
      }
      assertOAuthError(await send(Buffer.from([0x78, 0x3d, 0xff])), 400, 'invalid_request', /UTF-8/)
      assertOAuthError(await send(''), 400, 'invalid_request', /grant_type is required/)
      assert.equal((await send(form, 'Application/X-WWW-Form-Urlencoded;charset=UTF-8')).status, 200)
    })

    test('parameters in the address are ignored', async () => {
      const query = new URLSearchParams(good()).toString()

      const answer = await sendForm(world, `/oauth2/token?${query}`, {})

      assertOAuthError(answer, 400, 'invalid_request', /grant_type is required/)
    })

    test('a client that authenticates is told that there is nothing to authenticate with', async () => {
      for (const [authorization, challenge] of [
        [`Basic ${Buffer.from(`${email}:x`).toString('base64')}`, 'Basic realm="claimgate"'],
        [`Bearer ${world.adminToken}`, 'Bearer realm="claimgate"'],
      ] as const) {
        const answer = await exchange(good(), { authorization })

        assertOAuthError(answer, 401, 'invalid_client', /client_id/)
        assert.equal(answer.headers.get('www-authenticate'), challenge)
      }
    })

    test('other methods and paths under /oauth2 are refused as OAuth has it', async () => {
      const get = await world.request('GET', '/oauth2/token')
      const nothing = await sendForm(world, '/oauth2/authorize', {})

      assertOAuthError(get, 405, 'invalid_request', /POST/)
      assert.equal(get.headers.get('allow'), 'POST')
      assertOAuthError(nothing, 404, 'invalid_request', /nothing/)
    })

    test('a token of ours is no job’s token', async () => {
      const own = (await exchange(good())).json.access_token

      const answer = await exchange(good({ subject_token: own }))

      assertOAuthError(answer, 400, 'invalid_request', /Token exchange denied/)
      assert.equal(answer.json.details[0].reason, 'token_type')
    })

    test('outside the group every refusal has the same bytes, whatever is wrong and whatever is asked for', async () => {
      const outsider = { namespace_path: 'evil', project_path: 'evil/app' }
      await world.createIdentity([RULE], { id: 'gone' })
      await world.admin('DELETE', `/v1/workloadIdentities/gone@${email.split('@')[1]}`)
      const forms = [
        good({ subject_token: jobToken(outsider) }),
        good({ subject_token: jobToken(outsider), client_id: email.replace('deploy', 'nobody') }),
        good({ subject_token: jobToken(outsider), client_id: email.replace('deploy', 'gone') }),
        good({ subject_token: jobToken(outsider), audience: 'urn:other' }),
        good({ subject_token: jobToken(outsider), resource: 'urn:service' }),
      ]

      const answers = await Promise.all(forms.map((form) => exchange(form)))

      const bytes = answers.map(({ status, text }) => [
        status,
        text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, ''),
      ])
      for (const answer of answers)
        assertOAuthError(answer, 400, 'invalid_request', /^Token exchange denied\.$/)
      for (const each of bytes) assert.deepEqual(each, bytes[0])
    })

    test('inside the group the refusal says what the exchange’s says, details too', async () => {
      const claims = { ref: 'größe', ref_path: 'refs/heads/größe' }
      const main = await world.createIdentity([{ ...RULE, refs: [{ type: 'BRANCH', pattern: 'main' }] }])
      const ours = await world.exchange(jobToken(claims), main)

      const answer = await exchange(good({ client_id: main, subject_token: jobToken(claims) }))

      assertOAuthError(answer, 400, 'invalid_request', /Condition ref: ref_path is 'refs\/heads\/gr\?\?e'/)
      const [{ decisionId, ...details }] = answer.json.details
      const [{ decisionId: other, ...same }] = ours.json.details
      assert.deepEqual(details, same)
      assert.notEqual(decisionId, other)
    })

    test('a token is good for one exchange, whichever way it was made', async () => {
      const subject = jobToken()
      await world.exchange(subject, email)

      const answer = await exchange(good({ subject_token: subject }))

      assertOAuthError(answer, 400, 'invalid_request', /used/)
      assert.equal((await world.lastDecision(email)).reason, 'token_replayed')
    })
  })
}

for (const kind of ONE_DATABASE) {
  describe(`limits and faults at the token endpoint on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const form = (token: string) => ({
      grant_type: GRANT,
      client_id: email,
      subject_token: token,
      subject_token_type: `${TYPE}jwt`,
    })

    test('too many refusals are a 429, and an issuer that does not answer a 503, both with Retry-After', async () => {
      const ip = '203.0.113.9'
      const expired = world.gitlab.signToken(
        gitlabClaims('18.4', { exp: Math.floor(world.clock() / 1000) - 500 }),
      )
      const refused = []
      for (let count = 0; count < 121; count++) {
        refused.push(await sendForm(world, '/oauth2/token', form(expired), {}, ip))
      }
      await world.gitlab.close()
      world.clock.advance(3 * 3_600_000)

      const fault = await sendForm(world, '/oauth2/token', form(world.gitlab.signToken(gitlabClaims('18.4'))))

      const last = refused.at(-1)
      assert.ok(last)
      assertOAuthError(last, 429, 'temporarily_unavailable', /Too many/)
      assertOAuthError(fault, 503, 'temporarily_unavailable', /./)
      for (const answer of [last, fault]) assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    })
  })

  describe(`libraries that know OAuth, on ${kind}`, () => {
    let world: World
    let email: string
    let publicUrl: string

    before(async () => {
      const port = await freePort()
      publicUrl = `http://localhost:${port}`
      world = await startWorld(kind, { PORT: String(port), PUBLIC_URL: publicUrl })
      email = await world.createIdentity([RULE])
    })
    after(() => world?.close())

    const jobToken = () => world.gitlab.signToken(gitlabClaims('18.4'))
    const discover = (algorithm: 'oidc' | 'oauth2') =>
      client.discovery(new URL(publicUrl), email, undefined, client.None(), {
        algorithm,
        execute: [client.allowInsecureRequests],
      })
    const skew = () => Math.round((world.clock() - Date.now()) / 1000)

    for (const algorithm of ['oidc', 'oauth2'] as const) {
      test(`openid-client finds the endpoints (${algorithm}) and exchanges a token by its own call`, async () => {
        const config = await discover(algorithm)

        const issued = await client.genericGrantRequest(config, GRANT, {
          subject_token: jobToken(),
          subject_token_type: `${TYPE}id_token`,
        })

        assert.equal(issued.token_type, 'bearer')
        assert.equal(issued.expires_in, 3600)
        assert.equal(issued.issued_token_type, `${TYPE}access_token`)
      })
    }

    test('openid-client tells a refusal as what it is', async () => {
      const config = await discover('oauth2')

      const refused = client.genericGrantRequest(config, GRANT, {
        subject_token: 'x.y.z',
        subject_token_type: `${TYPE}jwt`,
      })

      await assert.rejects(refused, (error) => {
        assert.ok(error instanceof client.ResponseBodyError)
        assert.equal(error.error, 'invalid_request')
        assert.match(error.error_description ?? '', /^Token exchange denied/)
        return true
      })
    })

    test('an access token is a JWT as RFC 9068 has it, by oauth4webapi', async () => {
      const { accessToken } = (await world.exchange(jobToken(), email)).json
      const as = await discover('oauth2').then((config) => config.serverMetadata())
      const asked = (token: string) =>
        new Request('https://service.example.com', { headers: { authorization: `Bearer ${token}` } })
      const options = { [oauth.allowInsecureRequests]: true, [oauth.clockSkew]: skew() }

      const claims = await oauth.validateJwtAccessToken(as, asked(accessToken), publicUrl, options)

      assert.equal(claims.sub, email)
      assert.equal(claims.client_id, email)
      assert.deepEqual(claims.roles, ['roles/gitopsServiceAgent'])
      await assert.rejects(oauth.validateJwtAccessToken(as, asked(accessToken), 'urn:other', options))
      await assert.rejects(oauth.validateJwtAccessToken(as, asked(jobToken()), publicUrl, options))
    })

    test('an access token is verified by Node’s own crypto and the published key', async () => {
      const { accessToken } = (await world.exchange(jobToken(), email)).json
      const [header = '', payload = '', signature = ''] = accessToken.split('.')
      const { alg, typ, kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
      const { keys } = (await world.request('GET', '/.well-known/jwks.json')).json
      const jwk = keys.find((key: { kid: string }) => key.kid === kid)

      const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
      const holds = (text: string) =>
        verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'base64url'))

      assert.deepEqual([alg, typ], ['ES256', 'at+jwt'])
      assert.equal(holds(`${header}.${payload}`), true)
      assert.equal(holds(`${header}.${payload}x`), false)
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
      for (const name of ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'])
        assert.ok(name in claims, name)
    })

    test('openid-client introspects and revokes as one who may', async () => {
      const { accessToken } = (await world.exchange(jobToken(), email)).json
      const asAdmin: client.ClientAuth = (_as, _client, _body, headers) =>
        headers.set('authorization', `Bearer ${world.adminToken}`)
      const config = await client.discovery(new URL(publicUrl), 'service', undefined, asAdmin, {
        execute: [client.allowInsecureRequests],
      })

      const before = await client.tokenIntrospection(config, accessToken)
      await client.tokenRevocation(config, accessToken)
      const after = await client.tokenIntrospection(config, accessToken)

      assert.equal(before.active, true)
      assert.equal(before.sub, email)
      assert.deepEqual(after, { active: false })
    })
  })
}

/** A form with one field less. */
function without(form: Record<string, string>, name: string): { without: Record<string, string> } {
  return { without: Object.fromEntries(Object.entries(form).filter(([each]) => each !== name)) }
}
