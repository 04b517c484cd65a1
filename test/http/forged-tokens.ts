import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { publicJwk, signJws } from '../support/token-issuer.ts'
import type { World } from '../support/world.ts'

const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
export const jwkOf = (kid: string, key: KeyObject, more: Claims = {}): Claims => ({
  ...key.export({ format: 'jwk' }),
  kid,
  ...more,
})

export const other = rsa(2048)
const small = rsa(1024)
const cubic = rsa(2048, 3)
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** With e = 1 the "signature" is the padded digest itself, which anybody can write down (RFC 8017 section 9.2). */
function forgeUnitExponent(kid: string, claims: Claims): string {
  const signed = [{ alg: 'RS256', kid, typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const digest = createHash('sha256').update(signed).digest()
  const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), digest])
  const padding = Buffer.alloc(256 - 3 - info.length, 0xff)
  const block = Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), info])
  return `${signed}.${block.toString('base64url')}`
}

/** What the look-alike publishes beside its good key. */
export const WEAK_KEYS: readonly Claims[] = [
  jwkOf('small', small.publicKey),
  jwkOf('cubic', cubic.publicKey),
  { ...jwkOf('unit', other.publicKey), e: 'AQ' },
  { ...jwkOf('even', other.publicKey), e: 'AQAA' },
  jwkOf('twice', other.publicKey),
  jwkOf('twice', small.publicKey),
  jwkOf('for-encryption', other.publicKey, { use: 'enc' }),
  jwkOf('private', other.privateKey),
  jwkOf('for-ps256', other.publicKey, { alg: 'PS256' }),
  jwkOf('no-verifying', other.publicKey, { key_ops: ['encrypt'] }),
  { kty: 'oct', kid: 'secret', k: Buffer.from('a secret that everybody may read').toString('base64url') },
  jwkOf('ec', ec.publicKey),
]

export type Made = { readonly world: World; readonly now: number; readonly own: string }
export type Make = (made: Made) => string
export type Attack = readonly [name: string, reason: string, make: Make]

export const good = ({ world }: Made, claims: Claims = {}, header: Claims = {}) =>
  world.gitlab.signToken({ ...gitlabClaims('18.4'), ...claims }, { header })
export const withClaims =
  (claims: Claims | ((made: Made) => Claims)): Make =>
  (made) =>
    good(made, typeof claims === 'function' ? claims(made) : claims)
const withHeader =
  (header: Claims | ((made: Made) => Claims)): Make =>
  (made) =>
    good(made, {}, typeof header === 'function' ? header(made) : header)

export const allClaims = ({ world, now }: Made): Claims => ({
  ...gitlabClaims('18.4'),
  iss: world.gitlab.issuerUrl,
  aud: world.gitlab.issuerUrl,
  iat: now,
  nbf: now - 5,
  exp: now + 3600,
  jti: randomUUID(),
})
/** A good signature over this text as claims; `edit` gets that of good claims. */
const withClaimsText =
  (edit: (text: string) => string): Make =>
  (made) =>
    signJws(
      { alg: 'RS256', kid: made.world.gitlab.key.kid, typ: 'JWT' },
      edit(JSON.stringify(allClaims(made))),
      made.world.gitlab.key.privateKey,
    )
const withMember = (member: string) => withClaimsText((text) => text.replace(/}$/, `,${member}}`))
const withHeaderText =
  (edit: (text: string) => string): Make =>
  (made) => {
    const header = JSON.stringify({ alg: 'RS256', kid: made.world.gitlab.key.kid, typ: 'JWT' })
    return signJws(edit(header), allClaims(made), made.world.gitlab.key.privateKey)
  }
export const signedBy =
  (key: KeyObject | string, header: Claims, algorithm?: string): Make =>
  (made) =>
    signJws({ typ: 'JWT', alg: 'RS256', ...header }, allClaims(made), key, algorithm)
const edited =
  (edit: (parts: [string, string, string]) => readonly string[]): Make =>
  (made) =>
    edit(good(made).split('.') as [string, string, string]).join('.')
/** Sets the lowest of the bits that base64url leaves unused at the end of a part. */
const withStrayBit = (part: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.charAt(alphabet.indexOf(part.slice(-1)) + 1)
  return part.slice(0, -1) + last
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
export const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x${n}`, 1]))
const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth))

/** Of these nothing was verified, so that nothing of what they say is recorded. */
export const UNVERIFIED: readonly Attack[] = [
  ['no token but text', 'token_malformed', () => 'not a token'],
  ['two parts', 'token_malformed', edited(([h, c]) => [h, c])],
  ['four parts', 'token_malformed', edited((parts) => [...parts, 'eA'])],
  ['five parts, as of an encrypted token', 'token_malformed', edited(([h, c, s]) => [h, c, s, 'eA', 'eA'])],
  ['five parts, four of them empty', 'token_malformed', edited(([h]) => [h, '', '', '', ''])],
  ['an empty signature', 'token_malformed', edited(([h, c]) => [h, c, ''])],
  ['empty claims', 'token_malformed', edited(([h, , s]) => [h, '', s])],
  ['an empty header', 'token_malformed', edited(([, c, s]) => ['', c, s])],
  ['dots alone', 'token_malformed', () => '..'],
  ['a space before it', 'token_malformed', (made) => ` ${good(made)}`],
  ['a line break after it', 'token_malformed', (made) => `${good(made)}\n`],
  [
    'a line break within',
    'token_malformed',
    edited(([h, c, s]) => [h, `${c.slice(0, 9)}\n${c.slice(9)}`, s]),
  ],
  ['"Bearer" before it', 'token_malformed', (made) => `Bearer ${good(made)}`],
  ['padding', 'token_malformed', edited(([h, c, s]) => [h, c, `${s}==`])],
  ['the other base64 alphabet', 'token_malformed', edited(([h, c, s]) => [h, c, `${s.slice(0, -4)}+/+/`])],
  ['a signature with unused bits set', 'token_malformed', edited(([h, c, s]) => [h, c, withStrayBit(s)])],
  [
    'claims with unused bits set',
    'token_malformed',
    edited(([h, , s]) => [h, withStrayBit(json({ a: 1 })), s]),
  ],
  ['a character too many', 'token_malformed', edited(([h, c, s]) => [h, c, `${s}AAA`])],
  ['more than 16 KiB', 'token_malformed', withClaims({ x: 'y'.repeat(16 * 1024) })],
  ['a header that is no JSON', 'token_malformed', withHeaderText(() => '{alg:RS256}')],
  ['a header that is a list', 'token_malformed', withHeaderText((text) => `[${text}]`)],
  ['a header that is null', 'token_malformed', withHeaderText(() => 'null')],
  ['claims that are no JSON', 'token_malformed', withClaimsText((text) => text.slice(1))],
  ['claims that are a list', 'token_malformed', withClaimsText((text) => `[${text}]`)],
  ['claims that are a string', 'token_malformed', withClaimsText((text) => JSON.stringify(text))],
  ['claims that are a number', 'token_malformed', withClaimsText(() => '1')],
  ['text after the claims', 'token_malformed', withClaimsText((text) => `${text}{}`)],
  ['a byte order mark before the claims', 'token_malformed', withClaimsText((text) => `\u{FEFF}${text}`)],
  ['a byte order mark before the header', 'token_malformed', withHeaderText((text) => `\u{FEFF}${text}`)],
  [
    'claims that are not UTF-8',
    'token_malformed',
    edited(([h, , s]) => [h, Buffer.from('{"a":"\xff"}', 'latin1').toString('base64url'), s]),
  ],
  ['a claim twice', 'token_malformed', withMember('"project_path":"acme/app"')],
  ['a claim twice by an escape', 'token_malformed', withMember('"project_pa\\u0074h":"acme/app"')],
  ['a member twice further down', 'token_malformed', withMember('"x":{"y":1,"y":1}')],
  ['alg twice', 'token_malformed', withHeaderText((text) => text.replace('}', ',"alg":"none"}'))],
  ['claims 33 levels deep', 'token_malformed', withClaims({ x: nested(32) })],
  ['501 members', 'token_malformed', withClaims(members(501))],
  ['half a surrogate pair in a claim', 'token_malformed', withMember('"x":"\\ud800"')],
  ['half a surrogate pair in a name', 'token_malformed', withMember('"\\udc00":1')],
  ['half a surrogate pair in a list', 'token_malformed', withMember('"x":["\\ud83d"]')],
  ['a null character in a claim', 'token_malformed', withMember('"x":"a\\u0000b"')],
  ['a null character in a name', 'token_malformed', withMember('"a\\u0000b":1')],
  ['a null character in the header', 'token_malformed', withHeader({ x: 'a\0' })],
  ['__proto__ twice', 'token_malformed', withMember('"__proto__":1,"__proto__":2')],

  ['alg none', 'token_algorithm', signedBy('x', { alg: 'none' }, 'HS256')],
  ['alg NONE', 'token_algorithm', signedBy('x', { alg: 'NONE' }, 'HS256')],
  ['no alg', 'token_algorithm', withHeader({ alg: undefined })],
  ['an alg that is a list', 'token_algorithm', withHeader({ alg: ['RS256'] })],
  ['an alg that is null', 'token_algorithm', withHeader({ alg: null })],
  ['alg in another case', 'token_algorithm', withHeader({ alg: 'rs256' })],
  ['RS512', 'token_algorithm', withHeader({ alg: 'RS512' })],
  ['RS1', 'token_algorithm', withHeader({ alg: 'RS1' })],
  ['HS256 with the public key as secret', 'token_algorithm', hmacWithPublicKey],
  [
    'an accepted alg that this issuer does not use',
    'token_algorithm',
    signedBy(ec.privateKey, { alg: 'ES256', kid: 'ec' }),
  ],
  ['PS256 with the key of RS256', 'token_algorithm', (made) => good(made, {}, { alg: 'PS256' })],
  ['b64 false without crit', 'token_algorithm', withHeader({ b64: false })],
  ['b64 true', 'token_algorithm', withHeader({ b64: true })],
  ['crit with b64', 'token_algorithm', withHeader({ crit: ['b64'], b64: false })],
  ['crit with an extension', 'token_algorithm', withHeader({ crit: ['exp'], exp: 1 })],
  ['an empty crit', 'token_algorithm', withHeader({ crit: [] })],
  [
    'its own key (jwk)',
    'token_algorithm',
    signedBy(other.privateKey, { kid: 'mine', jwk: jwkOf('mine', other.publicKey) }),
  ],
  [
    'jwk beside a good signature',
    'token_algorithm',
    withHeader(({ world }) => ({ jwk: publicJwk(world.gitlab.key) })),
  ],
  [
    'jku beside a good signature',
    'token_algorithm',
    withHeader(({ world }) => ({ jku: `${world.gitlab.issuerUrl}/oauth/discovery/keys` })),
  ],
  ['x5u beside a good signature', 'token_algorithm', withHeader({ x5u: 'https://evil.example/cert' })],
  ['x5c beside a good signature', 'token_algorithm', withHeader({ x5c: ['AAAA'] })],
  ['HS256 and an unknown issuer', 'token_algorithm', signedBy('secret', { alg: 'HS256' })],

  ['an access token of ours', 'token_type', ({ own }) => own],
  ['typ at+jwt', 'token_type', withHeader({ typ: 'at+jwt' })],
  ['typ in another case', 'token_type', withHeader({ typ: 'jwt' })],
  ['typ application/jwt', 'token_type', withHeader({ typ: 'application/jwt' })],
  ['an empty typ', 'token_type', withHeader({ typ: '' })],
  ['a typ that is null', 'token_type', withHeader({ typ: null })],
  ['a typ that is a list', 'token_type', withHeader({ typ: ['JWT'] })],

  ['no iss', 'token_issuer', withClaims({ iss: undefined })],
  ['an iss that is a number', 'token_issuer', withClaims({ iss: 1 })],
  ['an iss that is a list', 'token_issuer', withClaims(({ world }) => ({ iss: [world.gitlab.issuerUrl] }))],
  ['an empty iss', 'token_issuer', withClaims({ iss: '' })],
  [
    'an iss with a slash more',
    'token_issuer',
    withClaims(({ world }) => ({ iss: `${world.gitlab.issuerUrl}/` })),
  ],
  [
    'an iss in another case',
    'token_issuer',
    withClaims(({ world }) => ({ iss: world.gitlab.issuerUrl.toUpperCase() })),
  ],
  ['an iss with a space', 'token_issuer', withClaims(({ world }) => ({ iss: `${world.gitlab.issuerUrl} ` }))],
  [
    'an iss with a control character',
    'token_issuer',
    withClaims(({ world }) => ({ iss: `${world.gitlab.issuerUrl}\u0007` })),
  ],
  [
    'an iss that is too long',
    'token_issuer',
    withClaims(({ world }) => ({ iss: `${world.gitlab.issuerUrl}/${'a'.repeat(255)}` })),
  ],
  ['an unknown issuer', 'token_issuer', withClaims({ iss: 'https://gitlab.evil.example' })],
  ['a hostile issuer', 'token_issuer', withClaims({ iss: 'https://x/*\\"$(id)' })],
  ['the issuer of old CI_JOB_JWT tokens', 'token_issuer', withClaims({ iss: 'gitlab.com', sub: 'job_302' })],
  ['our own address as issuer', 'token_issuer', withClaims({ iss: 'https://claimgate.example.com' })],

  ['no kid, where one key would do', 'token_key', withHeader({ kid: undefined })],
  ['an empty kid', 'token_key', withHeader({ kid: '' })],
  ['a kid that is a number', 'token_key', withHeader({ kid: 1 })],
  ['a kid that is a list', 'token_key', withHeader(({ world }) => ({ kid: [world.gitlab.key.kid] }))],
  ['an unknown kid', 'token_key', signedBy(other.privateKey, { kid: 'unknown' })],
  ['a kid that is a path', 'token_key', signedBy(other.privateKey, { kid: '../../../dev/null' })],
  ['the kid __proto__', 'token_key', signedBy(other.privateKey, { kid: '__proto__' })],
  ['an RSA key of 1024 bits', 'token_key', signedBy(small.privateKey, { kid: 'small' })],
  ['an RSA key with e = 3', 'token_key', signedBy(cubic.privateKey, { kid: 'cubic' })],
  [
    'a token forged for an RSA key with e = 1',
    'token_key',
    (made) => forgeUnitExponent('unit', allClaims(made)),
  ],
  ['an RSA key with an even e', 'token_key', signedBy(other.privateKey, { kid: 'even' })],
  ['a kid that stands twice', 'token_key', signedBy(other.privateKey, { kid: 'twice' })],
  ['a key that is for encryption', 'token_key', signedBy(other.privateKey, { kid: 'for-encryption' })],
  ['a key whose private part is public', 'token_key', signedBy(other.privateKey, { kid: 'private' })],
  ['a key that is for another algorithm', 'token_key', signedBy(other.privateKey, { kid: 'for-ps256' })],
  ['a key that is not for verifying', 'token_key', signedBy(other.privateKey, { kid: 'no-verifying' })],
  ['a shared secret as key', 'token_key', signedBy(other.privateKey, { kid: 'secret' })],
  ['a key of another type', 'token_key', signedBy(other.privateKey, { kid: 'ec' })],

  [
    'the signature of another key',
    'token_signature',
    ({ world, ...made }) => signedBy(other.privateKey, { kid: world.gitlab.key.kid })({ world, ...made }),
  ],
  [
    'the signature of another token',
    'token_signature',
    (made) => [...good(made).split('.').slice(0, 2), good(made).split('.')[2]].join('.'),
  ],
  [
    'a signature with one bit flipped',
    'token_signature',
    edited(([h, c, s]) => [h, c, (s.startsWith('A') ? 'B' : 'A') + s.slice(1)]),
  ],
  ['half a signature', 'token_signature', edited(([h, c, s]) => [h, c, s.slice(0, 100)])],
  [
    'a signature of zeros',
    'token_signature',
    edited(([h, c]) => [h, c, Buffer.alloc(256).toString('base64url')]),
  ],
  [
    'claims changed after signing',
    'token_signature',
    (made) => edited(([h, , s]) => [h, json({ ...allClaims(made), ref: 'evil' }), s])(made),
  ],
  [
    'a header changed after signing',
    'token_signature',
    (made) => edited(([, c, s]) => [json({ kid: made.world.gitlab.key.kid, alg: 'RS256' }), c, s])(made),
  ],
  [
    'bad claims and a bad signature',
    'token_signature',
    (made) => edited(([h, , s]) => [h, json({ ...allClaims(made), sub: 1, exp: 1 }), s])(made),
  ],
]

function hmacWithPublicKey(made: Made): string {
  const { publicKey, kid } = made.world.gitlab.key
  return signJws(
    { alg: 'HS256', kid, typ: 'JWT' },
    allClaims(made),
    String(publicKey.export({ type: 'spki', format: 'pem' })),
  )
}

/** Of these the signature was verified: what they say is recorded, but no policy ran. */
export const VERIFIED: readonly Attack[] = [
  ...(['sub', 'aud', 'exp', 'iat', 'jti'] as const).flatMap((name): readonly Attack[] => [
    [`no ${name}`, 'token_claims', withClaims({ [name]: undefined })],
    [`a ${name} that is null`, 'token_claims', withClaims({ [name]: null })],
    [`a ${name} that is an object`, 'token_claims', withClaims({ [name]: { a: 1 } })],
    [`a ${name} that is true`, 'token_claims', withClaims({ [name]: true })],
  ]),
  ['a jti that is a number', 'token_claims', withClaims({ jti: 1 })],
  ['a jti that is a list', 'token_claims', withClaims({ jti: ['a'] })],
  ['a jti of 256 characters', 'token_claims', withClaims({ jti: 'a'.repeat(256) })],
  ['a jti with a control character', 'token_claims', withClaims({ jti: 'a\u0001' })],
  ['a sub that is a list', 'token_claims', withClaims({ sub: ['a'] })],
  ['a sub of 2,049 characters', 'token_claims', withClaims({ sub: 'a'.repeat(2049) })],
  ['a sub with a line break', 'token_claims', withClaims({ sub: 'a\nb' })],
  ['an aud that is a number', 'token_claims', withClaims({ aud: 1 })],
  [
    'an aud with null beside ours',
    'token_claims',
    withClaims(({ world }) => ({ aud: [null, world.gitlab.issuerUrl] })),
  ],
  [
    'an aud within a list in the list',
    'token_claims',
    withClaims(({ world }) => ({ aud: [[world.gitlab.issuerUrl]] })),
  ],
  ['an aud of 256 characters', 'token_claims', withClaims({ aud: 'a'.repeat(256) })],
  ['an aud with a control character', 'token_claims', withClaims({ aud: ['a\u0085'] })],
  ['an exp that is text', 'token_claims', withClaims(({ now }) => ({ exp: String(now + 60) }))],
  ['an iat that is text', 'token_claims', withClaims(({ now }) => ({ iat: String(now) }))],
  ['an nbf that is text', 'token_claims', withClaims(({ now }) => ({ nbf: String(now) }))],
  ['an nbf that is null', 'token_claims', withClaims({ nbf: null })],
  ['an exp of 1e400', 'token_claims', withClaimsText((text) => text.replace(/"exp":\d+/, '"exp":1e400'))],
  ['an exp of -1e400', 'token_claims', withClaimsText((text) => text.replace(/"exp":\d+/, '"exp":-1e400'))],
  ['an iat of -1e400', 'token_claims', withClaimsText((text) => text.replace(/"iat":\d+/, '"iat":-1e400'))],
  ['an nbf of 1e400', 'token_claims', withClaimsText((text) => text.replace(/"nbf":\d+/, '"nbf":1e400'))],
  ['an exp of 1e20', 'token_claims', withClaims({ exp: 1e20 })],
  ['an exp in the year 10000', 'token_claims', withClaims({ exp: 253_402_300_800 })],
  ['an exp in the year 2100', 'token_claims', withClaims({ exp: Date.UTC(2100, 0) / 1000 })],
  ['an iat in the year 2100', 'token_claims', withClaims({ iat: Date.UTC(2100, 0) / 1000 })],
  ['an nbf in the year 2100', 'token_claims', withClaims({ nbf: Date.UTC(2100, 0) / 1000 })],
  [
    'times in milliseconds',
    'token_claims',
    withClaims(({ now }) => ({ iat: now * 1000, exp: (now + 60) * 1000 })),
  ],
  ['1e400 in any other claim', 'token_claims', withMember('"x":{"y":[1e400]}')],

  [
    'exp a minute ago',
    'token_expired',
    withClaims(({ now }) => ({ iat: now - 3600, nbf: now - 3600, exp: now - 60 })),
  ],
  [
    'exp an hour ago',
    'token_expired',
    withClaims(({ now }) => ({ iat: now - 7200, nbf: now - 7200, exp: now - 3600 })),
  ],
  ['an exp of 0', 'token_expired', withClaims({ exp: 0 })],
  ['a negative exp', 'token_expired', withClaims({ exp: -1 })],
  [
    'an exp before it and an nbf ahead',
    'token_expired',
    withClaims(({ now }) => ({ exp: now - 600, nbf: now + 600 })),
  ],
  ['nbf ahead by more than the skew', 'token_not_yet_valid', withClaims(({ now }) => ({ nbf: now + 61 }))],
  ['nbf and iat ahead', 'token_not_yet_valid', withClaims(({ now }) => ({ iat: now + 600, nbf: now + 600 }))],
  ['iat ahead by more than the skew', 'token_age', withClaims(({ now }) => ({ iat: now + 61, nbf: now }))],
  [
    'iat a year ahead',
    'token_age',
    withClaims(({ now }) => ({ iat: now + 365 * 86_400, nbf: now, exp: now + 366 * 86_400 })),
  ],
  ['iat more than a day ago', 'token_age', withClaims(({ now }) => ({ iat: now - 86_461, exp: now + 60 }))],
  ['an iat of 0', 'token_age', withClaims(({ now }) => ({ iat: 0, nbf: 0, exp: now + 60 }))],
]

/** What is unusual and right: the limits themselves, and what the specifications let an issuer do. */
export const ACCEPTED: readonly (readonly [name: string, make: Make])[] = [
  ['no typ', withHeader({ typ: undefined })],
  [
    'a header with members that mean nothing here',
    withHeader({ x5t: 'abc', 'x5t#S256': 'abc', cty: 'x', foo: [1] }),
  ],
  ['no nbf', withClaims({ nbf: undefined })],
  ['exp within the skew', withClaims(({ now }) => ({ iat: now - 3600, nbf: now - 3605, exp: now - 59 }))],
  ['nbf and iat at the end of the skew', withClaims(({ now }) => ({ iat: now + 60, nbf: now + 60 }))],
  [
    'iat a day ago, and a job that may take as long',
    withClaims(({ now }) => ({ iat: now - 86_400, exp: now + 60 })),
  ],
  ['a job that may take a week', withClaims(({ now }) => ({ exp: now + 7 * 86_400 }))],
  ['exp just before the year 2100', withClaims({ exp: Date.UTC(2100, 0) / 1000 - 1 })],
  ['times with a fraction', withClaims(({ now }) => ({ iat: now - 0.5, exp: now + 60.5 }))],
  ['a sub of 2,048 characters', withClaims({ sub: 'a'.repeat(2048) })],
  ['a jti of 255 characters', (made) => good(made, { jti: `${randomUUID()}${'a'.repeat(219)}` })],
  ['claims 32 levels deep', withClaims({ x: nested(31) })],
  [
    'claims that nobody knows, __proto__ among them',
    withMember('"__proto__":{"allow":true},"constructor":1,"toString":[]'),
  ],
  ['text of every kind in other claims', withClaims({ x: '\u{1F600}\u2028\u0007 \\ " $(id) {{y}}' })],
  ['a list with ours alone as aud', withClaims(({ world }) => ({ aud: [world.gitlab.issuerUrl] }))],
]
