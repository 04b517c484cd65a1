import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { calculateJwkThumbprint, decodeJwt, exportJWK, type JWTPayload, SignJWT } from 'jose'
import type { AllowedDecision, Recorded } from '../../src/decision/decision.ts'
import { signAccessToken } from '../../src/issuance/access-token.ts'
import { createAccessTokenVerifier } from '../../src/issuance/verify-access-token.ts'
import * as jws from '../../src/signature/jws-signature.ts'
import { allowed, type Ground, NOW } from '../decision/sample-decisions.ts'
import { signJws } from '../support/token-issuer.ts'

const ISSUER = 'https://claimgate.example.com'
const SKEW = 60
const GROUND: Ground = {
  email: 'deploy@workload.example.com',
  identityId: randomUUID(),
  identityRevision: '1',
  issuerUrl: 'https://gitlab.example.com',
  issuerRevision: '1',
}

type Keys = Awaited<ReturnType<typeof makeKeys>>

let keys: Keys
let foreignKeys: Keys

before(async () => {
  keys = await makeKeys()
  foreignKeys = await makeKeys()
})

async function makeKeys() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const jwks = { keys: [{ ...jwk, kid, use: 'sig', alg: 'ES256' }] }
  return {
    active: { kid, privateKey },
    jwks,
    findPublicKey: async (keyId: string) => (keyId === kid ? publicKey : undefined),
    findPrivateKey: (keyId: string) => (keyId === kid ? privateKey : undefined),
    areFresh: () => true,
    refresh: async () => undefined,
  }
}

/** A decision as the recorder gives it back. */
function recorded(more: Partial<AllowedDecision['grant']> = {}): Recorded<AllowedDecision> {
  const decision = allowed(GROUND)
  return {
    ...decision,
    grant: { ...decision.grant, keyId: keys.active.kid, ...more },
  } as Recorded<AllowedDecision>
}

const signing = () => ({
  keys,
  issuer: ISSUER,
  sign: async (key: KeyObject, signingInput: string) => jws.signJws(key, signingInput),
})

/** Whether a token is ours at a moment; seconds after NOW. */
const verifyAt = (seconds: number, token: string, audience: 'ours' | 'any' = 'ours') =>
  createAccessTokenVerifier({
    keys,
    issuer: ISSUER,
    clock: () => NOW + seconds * 1000,
    clockSkewSeconds: SKEW,
    verifySignature: async (algorithm, key, token) => jws.verifyJws(algorithm, key, token),
  })(token, audience)

const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: ISSUER,
  sub: GROUND.email,
  aud: ISSUER,
  client_id: GROUND.email,
  iat: NOW / 1000,
  nbf: NOW / 1000,
  exp: NOW / 1000 + 3600,
  jti: randomUUID(),
  roles: [],
  rules: [],
  workload: {},
  ...more,
})

const forge = (payload: JWTPayload, header: object = {}, key: KeyObject = keys.active.privateKey) =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: keys.active.kid, ...header })
    .sign(key)

describe('an access token', () => {
  test('is verified as what was granted', async () => {
    const decision = recorded({ audience: ISSUER, roles: ['roles/gitopsServiceAgent'], rules: ['a', 'b'] })

    const { accessToken, expiresIn, decisionId } = await signAccessToken(signing(), decision)

    assert.equal(expiresIn, 3600)
    assert.equal(decisionId, decision.id)
    assert.deepEqual(await verifyAt(0, accessToken), {
      email: GROUND.email,
      audience: ISSUER,
      issueTime: decision.grant.issueTime,
      expireTime: decision.grant.expireTime,
      decisionId: decision.id,
      keyId: keys.active.kid,
      roles: ['roles/gitopsServiceAgent'],
      projects: [],
      rules: ['a', 'b'],
      workload: decision.grant.workload,
    })
  })

  test('for a service behind us is one of ours only to who asks about any', async () => {
    const token = await forge(claims({ aud: 'urn:service' }))

    assert.equal(await verifyAt(0, token), undefined)
    assert.equal((await verifyAt(0, token, 'any'))?.audience, 'urn:service')
  })

  test('says the roles in a project under projects alone, and names none where there is no project', async () => {
    const projects = [{ name: 'projects/web', roles: ['roles/auditor'] }]
    const tokenOf = async (more: Partial<AllowedDecision['grant']>) =>
      (await signAccessToken(signing(), recorded({ audience: ISSUER, ...more }))).accessToken

    const ofProject = await tokenOf({ roles: [], projects })
    const ofWorkspace = await tokenOf({ roles: ['roles/auditor'] })

    assert.deepEqual(decodeJwt(ofProject).roles, [])
    assert.deepEqual(decodeJwt(ofProject).projects, projects)
    assert.equal('projects' in decodeJwt(ofWorkspace), false)
    assert.deepEqual((await verifyAt(0, ofProject))?.projects, projects)
  })

  test('is signed with no other key than the one that the decision names', async () => {
    const refused = signAccessToken(signing(), recorded({ keyId: 'another' }))

    await assert.rejects(refused, { code: 'unavailable', message: /signing key was just taken away/ })
  })

  test('does not leave where its key was taken away while it was signed', async () => {
    const known = new Map([[keys.active.kid, keys.active.privateKey]])
    const losing = {
      ...signing(),
      keys: { ...keys, findPrivateKey: (keyId: string) => known.get(keyId) },
      async sign(key: KeyObject, signingInput: string) {
        known.clear()
        return jws.signJws(key, signingInput)
      },
    }

    await assert.rejects(signAccessToken(losing, recorded()), { code: 'unavailable' })
  })

  test('leaves a process that stood still only once it knows that the key is still there', async () => {
    const known = new Map([[keys.active.kid, keys.active.privateKey]])
    const stale = (refresh: () => Promise<undefined>) => ({
      ...signing(),
      keys: {
        ...keys,
        findPrivateKey: (keyId: string) => known.get(keyId),
        areFresh: () => false,
        refresh,
      },
    })

    const still = await signAccessToken(
      stale(async () => undefined),
      recorded({ audience: ISSUER }),
    )
    const gone = () =>
      signAccessToken(
        stale(async () => void known.clear()),
        recorded(),
      )

    assert.notEqual(await verifyAt(0, still.accessToken), undefined)
    await assert.rejects(gone, { code: 'unavailable' })
  })

  test('holds from nbf to exp, and the clocks’ tolerance beyond', async () => {
    const token = await forge(claims())

    const answers = await Promise.all(
      [-SKEW - 1, -SKEW, 0, 3599, 3600 + SKEW - 1, 3600 + SKEW].map((at) => verifyAt(at, token)),
    )

    assert.deepEqual(
      answers.map((answer) => answer !== undefined),
      [false, true, true, true, true, false],
    )
  })
})

describe('not an access token of ours is', () => {
  const cases: Readonly<Record<string, () => Promise<string> | string>> = {
    'nothing at all': () => '',
    'a text': () => 'null',
    'one of another issuer': () => forge(claims({ iss: 'https://evil.example' })),
    'one for another audience': () => forge(claims({ aud: 'https://other.example' })),
    'one without an audience': () => forge(without('aud')),
    'one whose issuer differs by a slash': () => forge(claims({ iss: `${ISSUER}/` })),
    'one signed by a foreign key under our key id': () => forge(claims(), {}, foreignKeys.active.privateKey),
    'one signed by a foreign key under its own id': () =>
      forge(claims(), { kid: foreignKeys.active.kid }, foreignKeys.active.privateKey),
    'one that brings its key along': async () =>
      forge(
        claims(),
        { kid: foreignKeys.active.kid, jwk: await exportJWK(foreignKeys.active.privateKey) },
        foreignKeys.active.privateKey,
      ),
    'an ID token (typ JWT)': () => forge(claims(), { typ: 'JWT' }),
    'one without typ': () => forge(claims(), { typ: undefined }),
    'one that never expires': () => forge(without('exp')),
    'one without jti': () => forge(without('jti')),
    'one without sub': () => forge(without('sub')),
    'one without rules': () => forge(without('rules')),
    'an unsigned one': () => signJws({ alg: 'none', typ: 'at+jwt' }, claims(), ''),
    'one signed HS256 with our public key as the secret': () =>
      signJws(
        { alg: 'HS256', typ: 'at+jwt', kid: keys.active.kid },
        claims(),
        JSON.stringify(keys.jwks.keys[0]),
      ),
    'one whose claims were changed': async () => {
      const [header, , signature] = (await forge(claims())).split('.')
      const changed = Buffer.from(JSON.stringify(claims({ roles: ['roles/workspaceAdmin'] }))).toString(
        'base64url',
      )
      return `${header}.${changed}.${signature}`
    },
    'one without its signature': async () => (await forge(claims())).replace(/[^.]+$/, ''),
    'one with a fourth part': async () => `${await forge(claims())}.x`,
    'one with a critical header that nobody knows': () =>
      signJws({ alg: 'ES256', typ: 'at+jwt', crit: ['x'], x: 1 }, claims(), ''),
  }

  for (const [name, make] of Object.entries(cases)) {
    test(name, async () => {
      const token = await make()

      assert.equal(await verifyAt(0, token), undefined)
      if (name !== 'one for another audience') assert.equal(await verifyAt(0, token, 'any'), undefined)
    })
  }

  function without(name: string): JWTPayload {
    return Object.fromEntries(Object.entries(claims()).filter(([claim]) => claim !== name))
  }
})
