import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { App } from '../../src/app.ts'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, DATABASES, runSql, startWorld, type World } from '../support/world.ts'

const TOKENS = '/v1/adminTokens'
const ADMIN = 'roles/workspaceAdmin'
const AUDITOR = 'roles/auditor'
const AUTHOR = 'roles/policyAuthor'

for (const kind of DATABASES) {
  describe(`admin tokens on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    let ids = 0
    const newId = () => `t-${++ids}`
    const create = (id: string, body: object) => world.admin('POST', `${TOKENS}?adminTokenId=${id}`, body)
    const as = (token: string, method: string, path: string, body?: unknown, more: object = {}) =>
      world.request(method, path, { body, headers: { authorization: `Bearer ${token}` }, ...more })
    const ahead = (ms: number) => new Date(world.clock() + ms).toISOString()
    async function made(roles: readonly string[], more: object = {}) {
      const answer = await create(newId(), { roles, ...more })
      assert.equal(answer.status, 200, answer.text)
      const { token, ...resource } = answer.json
      return { token, ...resource, path: `/v1/${resource.name}` }
    }

    test('a token is made, shown this once, and read back without it', async () => {
      const id = newId()
      const expireTime = ahead(86_400_000)
      const created = await create(id, { title: 'Nightly audit', roles: [AUDITOR, AUDITOR], expireTime })
      const unnamed = await world.admin('POST', TOKENS, { roles: [AUDITOR] })

      assert.equal(created.status, 200, created.text)
      assertSafeHeaders(created)
      const { token, etag, ...rest } = created.json
      const now = new Date(world.clock()).toISOString()
      assert.deepEqual(rest, {
        name: `adminTokens/${id}`,
        title: 'Nightly audit',
        roles: [AUDITOR],
        createTime: now,
        updateTime: now,
        expireTime,
        lastUseTime: null,
      })
      assert.match(token, new RegExp(`^cgadm_${id}_[A-Za-z0-9_-]{43}$`))
      assert.equal(created.headers.get('etag'), `"${etag}"`)
      assert.deepEqual((await world.admin('GET', `${TOKENS}/${id}`)).json, { etag, ...rest })
      assert.match(unnamed.json.name, /^adminTokens\/token-[0-9a-f]{10}$/)
      assert.equal(unnamed.json.expireTime, undefined)
    })

    test('of a token SHA-256 is kept and nothing else, and no list, change or refusal tells it', async () => {
      const { token, path, name } = await made([ADMIN])
      await as(token, 'POST', `${TOKENS}?adminTokenId=${token}`, { roles: [AUDITOR] })
      await as(token, 'DELETE', `${TOKENS}/${token}`)
      await world.admin('PATCH', path, { title: 'Other' })
      await world.admin('DELETE', path)

      const texts = [
        (await world.admin('GET', `${TOKENS}?pageSize=1000`)).text,
        (await world.admin('GET', `/v1/changes?pageSize=1000&resource=${name}`)).text,
        (await world.admin('GET', `/v1/changes?pageSize=1000&author=${name}`)).text,
      ]

      const secret = token.slice(-43)
      const hash = createHash('sha256').update(token).digest('hex')
      for (const text of texts) assert.ok(!text.includes(secret) && !text.includes(hash))
      if (world.databaseUrl !== undefined) {
        const kept = await made([AUDITOR])
        const [row] = await runSql(
          world.databaseUrl,
          'select t::text as all, secret_hash from admin_tokens t where id = $1',
          [kept.name.slice('adminTokens/'.length)],
        )
        assert.ok(!row.all.includes(kept.token.slice(-43)))
        assert.deepEqual(row.secret_hash, createHash('sha256').update(kept.token).digest())
      }
    })

    test('a token does what its roles give, under its own name, and nothing else', async () => {
      const { token, name } = await made([AUTHOR])
      const project = `p-${newId()}`

      const listed = await as(token, 'GET', '/v1/projects')
      const saved = await as(token, 'PUT', '/v1/guardrails', { source: '' })
      const refused = await as(token, 'POST', `/v1/projects?projectId=${project}`, {})

      assert.equal(listed.status, 200)
      assert.equal(saved.status, 200)
      assertProblem(refused, 403, 7, new RegExp(`claimgate.projects.create, .* of ${name} do not`))
      const [version] = (await world.admin('GET', '/v1/guardrails/versions')).json.versions
      const { changes } = (await world.admin('GET', `/v1/changes?author=${name}`)).json
      assert.equal(version.author, name)
      assert.deepEqual(
        changes.map(({ outcome, resource }: Record<string, string>) => [outcome, resource]),
        [
          ['REFUSED', `projects/${project}`],
          ['DONE', 'guardrails'],
        ],
      )
    })

    test('what is nearly a token is nobody’s', async () => {
      const { token, path } = await made([ADMIN])
      const other = await made([ADMIN])
      const flipped = token.endsWith('A') ? `${token.slice(0, -1)}E` : `${token.slice(0, -1)}A`
      const nearly = [
        flipped,
        `${token}x`,
        token.slice(0, -1),
        token.toUpperCase(),
        `cgadm_${token.split('_')[1]}_${other.token.slice(-43)}`,
        `cgadm_none_${token.slice(-43)}`,
        `cgadm_first_${token.slice(-43)}`,
        token.slice(-43),
      ]

      for (const each of nearly) assertProblem(await as(each, 'GET', path), 401, 16, /neither an admin token/)
      assert.equal((await as(token, 'GET', path)).status, 200)
    })

    test('a token is refused from the moment on at which it expires', async () => {
      const { token } = await made([AUDITOR], { expireTime: ahead(60_000) })

      world.clock.advance(59_999)
      const before = await as(token, 'GET', TOKENS)
      world.clock.advance(1)
      const after = await as(token, 'GET', TOKENS)

      assert.deepEqual([before.status, after.status], [200, 401])
    })

    test('title, roles and expiry can be changed, and hold for the next call', async () => {
      const { token, path, name } = await made([ADMIN])

      const changed = await world.admin('PATCH', path, { roles: [AUDITOR], title: 'Less' })
      const refused = await as(token, 'POST', '/v1/projects?projectId=never', {})
      const limited = await world.admin('PATCH', path, { expireTime: ahead(1_000) })
      const freed = await world.admin('PATCH', `${path}?updateMask=expireTime`, {})

      assert.deepEqual([changed.json.roles, changed.json.title], [[AUDITOR], 'Less'])
      assert.equal(refused.status, 403)
      assert.deepEqual([limited.json.expireTime, freed.json.expireTime], [ahead(1_000), undefined])
      const { changes } = (await world.admin('GET', `/v1/changes?resource=${name}`)).json
      assert.deepEqual(
        changes.map(({ verb }: { verb: string }) => verb),
        ['UPDATE', 'UPDATE', 'UPDATE', 'CREATE'],
      )
      // Its use is noted beside the calls.
      const withoutUse = ({ lastUseTime: _, ...adminToken }: Record<string, unknown>) => adminToken
      assert.deepEqual(withoutUse(changes[0].after), withoutUse(freed.json))
      assert.deepEqual(withoutUse(changes[0].before), withoutUse(limited.json))
    })

    for (const [what, path, body, names] of [
      ['no roles', '?adminTokenId=bad', {}, /roles is required/],
      ['an empty list of them', '?adminTokenId=bad', { roles: [] }, /roles/],
      ['an unknown role', '?adminTokenId=bad', { roles: ['roles/auditors'] }, /roles\[0\].*roles\/auditor/],
      ['an expiry that is past', '?adminTokenId=bad', { expireTime: '2020-01-01T00:00:00Z' }, /expireTime/],
      [
        'an expiry that is no time',
        '?adminTokenId=bad',
        { expireTime: 'tomorrow' },
        /expireTime must be a time/,
      ],
      ['a field that is none', '?adminTokenId=bad', { role: AUDITOR }, /role .*roles/],
      ['a token of one’s own', '?adminTokenId=bad', { token: 'cgadm_x' }, /token/],
      ['an id in capitals', '?adminTokenId=Bad', {}, /adminTokenId must be lower-case/],
      ['the id of the setting', '?adminTokenId=first', {}, /adminTokenId must not be 'first'/],
      ['another name', '?adminTokenId=bad', { name: 'adminTokens/other' }, /name must be adminTokens\/bad/],
    ] as const) {
      test(`${what} is refused by its field`, async () => {
        const roles = what === 'no roles' ? {} : { roles: [AUDITOR] }

        assertProblem(await world.admin('POST', `${TOKENS}${path}`, { ...roles, ...body }), 400, 3, names)
        assert.equal((await world.admin('GET', `${TOKENS}/bad`)).status, 404)
      })
    }

    test('an update that does not fit is refused, and so is a stale etag', async () => {
      const { path, etag } = await made([AUDITOR])
      const headers = { authorization: `Bearer ${world.adminToken}`, 'if-match': `"${etag}"` }
      const patch = (body: object, query = '') => world.admin('PATCH', `${path}${query}`, body)

      assertProblem(await patch({}), 400, 3, /title, roles, expireTime/)
      assertProblem(await patch({}, '?updateMask=roles'), 400, 3, /roles is required/)
      assertProblem(await patch({ title: 'x' }, '?updateMask=token'), 400, 3, /cannot be set/)
      assertProblem(await patch({ title: 'x', etag: '0' }), 409, 10, /changed meanwhile/)
      assert.equal((await world.request('PATCH', path, { headers, body: { title: 'One' } })).status, 200)
      for (const method of ['PATCH', 'DELETE']) {
        const body = method === 'PATCH' ? { body: { title: 'Two' } } : {}
        assertProblem(await world.request(method, path, { headers, ...body }), 409, 10, /changed meanwhile/)
      }
    })

    test('a deleted token is refused at once by every instance, is gone, and its id is never given again', async () => {
      const { token, path, name } = await made([ADMIN])
      const other = kind === 'postgresql' ? await world.startInstance() : undefined
      const elsewhere = () => as(token, 'GET', TOKENS, undefined, other ? { url: other.url } : {})
      assert.equal((await elsewhere()).status, 200)

      const deleted = await world.admin('DELETE', path)

      assert.deepEqual([deleted.status, deleted.json], [200, {}])
      assertProblem(await elsewhere(), 401, 16, /./)
      assertProblem(await world.admin('GET', path), 404, 5, /./)
      assertProblem(await world.admin('DELETE', path), 404, 5, /./)
      assertProblem(await world.admin('PATCH', path, { title: 'x' }), 404, 5, /./)
      assertProblem(await create(name.slice('adminTokens/'.length), { roles: [AUDITOR] }), 409, 6, /, or did/)
      const { adminTokens } = (await world.admin('GET', `${TOKENS}?pageSize=1000`)).json
      assert.ok(!adminTokens.some((each: { name: string }) => each.name === name))
    })

    test('tokens are listed by id over the pages, each once', async () => {
      for (let n = 0; n < 3; n++) await made([AUDITOR])
      const whole = (await world.admin('GET', `${TOKENS}?pageSize=1000`)).json.adminTokens

      const paged: unknown[] = []
      let pageToken = ''
      do {
        const page = (await world.admin('GET', `${TOKENS}?pageSize=2&pageToken=${pageToken}`)).json
        paged.push(...page.adminTokens)
        pageToken = page.nextPageToken
      } while (pageToken !== '')

      assert.deepEqual(paged, whole)
      const names = whole.map(({ name }: { name: string }) => name)
      assert.deepEqual(names, names.toSorted())
    })

    test('the last use is told to within a minute, and changes no etag', async () => {
      const { token, path, etag } = await made([AUDITOR])
      const used = async (isThere: (time: string | null) => boolean) => {
        for (;;) {
          const { lastUseTime, etag: now } = (await world.admin('GET', path)).json
          if (isThere(lastUseTime)) return { lastUseTime, etag: now }
        }
      }

      await as(token, 'GET', TOKENS)
      const first = await used((time) => time !== null)
      world.clock.advance(59_999)
      await as(token, 'GET', TOKENS)
      const within = await world.admin('GET', path)
      world.clock.advance(1)
      await as(token, 'GET', TOKENS)
      const second = await used((time) => time !== first.lastUseTime)

      assert.equal(within.json.lastUseTime, first.lastUseTime)
      assert.equal(Date.parse(second.lastUseTime) - Date.parse(first.lastUseTime), 60_000)
      assert.deepEqual([first.etag, second.etag], [etag, etag])
    })

    describe('nobody gives what they do not hold', () => {
      async function holderOf(roles: readonly string[]): Promise<string> {
        const email = await world.createIdentity([{ id: 'ci', group: 'acme', roles }])
        return (await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)).json.accessToken
      }
      const createRole = async (permissions: readonly string[]) => {
        const id = `role-${newId()}`
        const answer = await world.admin('POST', `/v1/roles?roleId=${id}`, { permissions })
        assert.equal(answer.status, 200, answer.text)
        return `roles/${id}`
      }
      const ALL_OF_TOKENS = ['create', 'get', 'list', 'update', 'delete'].map(
        (verb) => `claimgate.adminTokens.${verb}`,
      )

      test('who may make tokens makes such as have no more, and changes no others', async () => {
        const role = await createRole(ALL_OF_TOKENS)
        const maker = await made([role])
        const admin = await made([ADMIN])
        const make = (roles: readonly string[]) => as(maker.token, 'POST', TOKENS, { roles })

        const own = await make([role, 'roles/gitopsServiceAgent'])
        const refused = [
          await make([AUDITOR]),
          await make([role, ADMIN]),
          await as(maker.token, 'PATCH', maker.path, { roles: [role, AUDITOR] }),
          await as(maker.token, 'PATCH', admin.path, { roles: [role] }),
          await as(maker.token, 'PATCH', admin.path, { expireTime: ahead(1) }),
          await as(maker.token, 'PATCH', admin.path, { title: 'Mine' }),
          await as(maker.token, 'DELETE', admin.path),
        ]

        assert.equal(own.status, 200, own.text)
        for (const answer of refused) assertProblem(answer, 403, 7, /gives permissions that you do not hold/)
        assert.equal((await as(maker.token, 'DELETE', `/v1/${own.json.name}`)).status, 200)
      })

      test('what a role gives holds for the next call of its tokens, and it cannot go while one has it', async () => {
        const role = await createRole(['claimgate.projects.list'])
        const { token, path, name } = await made([role])
        const before = await as(token, 'GET', '/v1/projects')

        await world.admin('PATCH', `/v1/${role}`, { permissions: ['claimgate.roles.list'] })
        const after = await as(token, 'GET', '/v1/projects')
        const inUse = await world.admin('DELETE', `/v1/${role}`)
        await world.admin('DELETE', path)
        const unused = await world.admin('DELETE', `/v1/${role}`)
        const gone = await create(newId(), { roles: [role] })

        assert.deepEqual([before.status, after.status], [200, 403])
        assertProblem(inUse, 400, 9, new RegExp(`in use: ${name}`))
        assert.equal(unused.status, 200)
        assertProblem(gone, 400, 3, /roles\[0\].*is not a role/)
      })

      test('a job with the role makes tokens of what it has; without it none, nor reads them', async () => {
        const admin = await holderOf([ADMIN])
        const author = await holderOf([AUTHOR])
        const make = (token: string, roles: readonly string[]) => as(token, 'POST', TOKENS, { roles })

        assert.equal((await make(admin, [ADMIN])).status, 200)
        assertProblem(await make(author, [AUTHOR]), 403, 7, /adminTokens\.create/)
        const { path } = await made([AUDITOR])
        for (const [method, body] of [
          ['PATCH', { roles: [ADMIN] }],
          ['DELETE', undefined],
        ] as const) {
          assertProblem(await as(author, method, path, body), 403, 7, /adminTokens\./)
        }
      })
    })

    test('the setting ADMIN_TOKEN is no token that can be changed here', async () => {
      for (const [method, body] of [
        ['PATCH', { title: 'x' }],
        ['DELETE', undefined],
      ] as const) {
        assertProblem(await world.admin(method, `${TOKENS}/first`, body), 400, 9, /setting ADMIN_TOKEN/)
      }
      assertProblem(await world.admin('GET', `${TOKENS}/first`), 404, 5, /./)
    })

    test('beside the setting any token can be deleted, the only one too', async () => {
      const { adminTokens } = (await world.admin('GET', `${TOKENS}?pageSize=1000`)).json
      for (const { name } of adminTokens) {
        assert.equal((await world.admin('DELETE', `/v1/${name}`)).status, 200)
      }

      assert.deepEqual((await world.admin('GET', TOKENS)).json, { adminTokens: [], nextPageToken: '' })
    })
  })
}

describe('without ADMIN_TOKEN', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  let world: World
  let bare: App
  let root: string

  before(async () => {
    world = await startWorld('postgresql')
    root = (await world.admin('POST', `${TOKENS}?adminTokenId=root`, { roles: [ADMIN] })).json.token
    bare = await world.startInstance({ ADMIN_TOKEN: '' })
  })
  after(() => world?.close())

  const as = (token: string, method: string, path: string, body?: unknown): Promise<Answer> =>
    world.request(method, path, { body, url: bare.url, headers: { authorization: `Bearer ${token}` } })
  const make = async (body: object) => {
    const answer = await as(root, 'POST', TOKENS, body)
    assert.equal(answer.status, 200, answer.text)
    return answer.json
  }

  test('the service does not start where there is no administrator, and says what is missing', async () => {
    const empty = await startWorld('postgresql')
    try {
      await empty.admin('POST', TOKENS, { roles: [AUDITOR] })
      await empty.admin('POST', TOKENS, { roles: [ADMIN], expireTime: '2099-01-01T00:00:00Z' })
      await assert.rejects(
        () => empty.startInstance({ ADMIN_TOKEN: '' }),
        /ADMIN_TOKEN is required: there is no admin token with roles\/workspaceAdmin yet that does not expire/,
      )
    } finally {
      await empty.close()
    }
  })

  test('an admin token administers alone, and the former ADMIN_TOKEN is refused', async () => {
    assert.equal((await as(root, 'GET', '/v1/projects')).status, 200)
    assert.equal((await as(world.adminToken, 'GET', '/v1/projects')).status, 401)
    assert.equal((await as('', 'GET', '/v1/projects')).status, 401)
  })

  for (const [what, method, path, body] of [
    ['deleted', 'DELETE', `${TOKENS}/root`, undefined],
    ['given less', 'PATCH', `${TOKENS}/root`, { roles: [AUDITOR] }],
    ['made to expire', 'PATCH', `${TOKENS}/root`, { expireTime: '2099-01-01T00:00:00Z' }],
  ] as const) {
    test(`the last administrator cannot be ${what}: not beside one that expires, has less, or is a job`, async () => {
      const passing = await make({
        roles: [ADMIN],
        expireTime: '2099-01-01T00:00:00Z',
      })
      const auditor = await make({ roles: [AUDITOR] })
      await world.createIdentity([{ id: 'ci', group: 'acme', roles: [ADMIN] }])

      const answers = [await as(root, method, path, body), await as(passing.token, method, path, body)]

      for (const answer of answers)
        assertProblem(answer, 400, 9, /adminTokens\/root is the last administrator/)
      assert.equal((await as(root, 'GET', `${TOKENS}/root`)).status, 200)
      for (const { name } of [passing, auditor]) {
        assert.equal((await as(root, 'DELETE', `/v1/${name}`)).status, 200)
      }
    })
  }

  test('the last administrator may get another title, and more roles', async () => {
    assert.equal((await as(root, 'PATCH', `${TOKENS}/root`, { title: 'Root' })).status, 200)
    const more = await as(root, 'PATCH', `${TOKENS}/root`, { roles: [AUDITOR, ADMIN] })
    assert.equal(more.status, 200)
  })

  test('of the last two, removed at the same time on two instances, one stays', async () => {
    const other = await world.startInstance({ ADMIN_TOKEN: '' })
    let holder = { name: 'adminTokens/root', token: root }
    for (let round = 0; round < 5; round++) {
      const next = (
        await as(holder.token, 'POST', `${TOKENS}?adminTokenId=round-${round}`, { roles: [ADMIN] })
      ).json
      const both = [holder, next]

      const answers = await Promise.all(
        both.map(({ name, token }, index) =>
          world.request(round % 2 === 0 ? 'DELETE' : 'PATCH', `/v1/${name}`, {
            url: index === 0 ? bare.url : other.url,
            headers: { authorization: `Bearer ${token}` },
            ...(round % 2 === 1 && { body: { roles: [AUDITOR] } }),
          }),
        ),
      )

      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400])
      const left = answers.findIndex(({ status }) => status === 400)
      assertProblem(answers[left] as Answer, 400, 9, /is the last administrator/)
      holder = both[left] as typeof holder
    }
  })
})
