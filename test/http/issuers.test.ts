import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { App } from '../../src/app.ts'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { publicJwk } from '../support/token-issuer.ts'
import { type Answer, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of ONE_DATABASE) {
  describe(`changing issuers on ${kind}`, () => {
    let world: World
    let email: string
    /** The look-alike's issuer. */
    let name: string
    let registered = 0

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
      name = `issuers/i-127-0-0-1-${new URL(world.gitlab.issuerUrl).port}`
    })
    after(() => world?.close())

    const get = async (of = name) => (await world.admin('GET', `/v1/${of}`)).json
    const patch = (body: unknown, mask?: string, of = name) =>
      world.admin('PATCH', `/v1/${of}${mask === undefined ? '' : `?updateMask=${mask}`}`, body)
    const remove = (of: string) => world.admin('DELETE', `/v1/${of}`)
    const undelete = (of: string) => world.admin('POST', `/v1/${of}:undelete`)
    const refresh = (of = name) => world.admin('POST', `/v1/${of}:refreshKeys`)
    const exchange = (instance?: App) =>
      world.request('POST', '/v1/auth:exchangeToken', {
        body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
        ...(instance && { url: instance.url }),
      })
    const reasonOf = (answer: Answer) => answer.json.details?.[0]?.reason ?? answer.status

    /** Registers an issuer that nobody exchanges with; returns its name. */
    async function register(more: object = {}): Promise<string> {
      const id = `mine-${++registered}`
      const body = { issuerUrl: `https://${id}.example`, providerType: 'GITLAB', title: id, ...more }
      const created = await world.admin('POST', `/v1/issuers?issuerId=${id}`, body)
      assert.equal(created.status, 200, created.text)
      return created.json.name
    }

    const staticKeys = (...kids: string[]) => ({
      keys: kids.map((kid) => ({ ...publicJwk(world.gitlab.key), kid })),
    })

    test('a change is answered, kept, and told by a new etag', async () => {
      const mine = await register()
      const before = await get(mine)
      world.clock.advance(1_000)

      const changed = await patch(
        { title: 'Renamed', algorithms: ['ES256', 'ES256', 'RS256'] },
        undefined,
        mine,
      )

      assert.equal(changed.status, 200, changed.text)
      assertSafeHeaders(changed)
      const { etag, updateTime, ...rest } = changed.json
      assert.deepEqual(rest, {
        ...rest,
        name: mine,
        issuerUrl: before.issuerUrl,
        title: 'Renamed',
        state: 'ACTIVE',
        algorithms: ['ES256', 'RS256'],
        createTime: before.createTime,
      })
      assert.equal(updateTime, new Date(world.clock()).toISOString())
      assert.notEqual(etag, before.etag)
      assert.equal(changed.headers.get('etag'), `"${etag}"`)
      assert.deepEqual(await get(mine), changed.json)
    })

    test('a mask names what is changed, and nothing else is', async () => {
      const mine = await register({ algorithms: ['ES256'], jwks: staticKeys('a') })

      const titled = await patch({ title: 'T', algorithms: ['PS256'], state: 'DISABLED' }, 'title', mine)
      const both = await patch({ title: 'U', state: 'DISABLED' }, 'state,title', mine)

      assert.deepEqual(
        [titled.json.title, titled.json.algorithms, titled.json.state],
        ['T', ['ES256'], 'ACTIVE'],
      )
      assert.deepEqual([both.json.title, both.json.state], ['U', 'DISABLED'])
      assert.ok(both.json.jwks)
    })

    test('a field that the mask names and the body lacks gets its default', async () => {
      const mine = await register({ algorithms: ['ES256'], jwks: staticKeys('a') })

      const reset = await patch({}, 'title,algorithms,jwks', mine)

      assert.equal(reset.json.title, reset.json.issuerUrl)
      assert.deepEqual(reset.json.algorithms, ['RS256'])
      assert.equal(reset.json.jwks, undefined)
    })

    test('* replaces all that can be changed, but enables nothing by silence', async () => {
      const mine = await register({ algorithms: ['ES256'], jwks: staticKeys('a') })
      await patch({ state: 'DISABLED' }, undefined, mine)

      const replaced = await patch({ title: 'Whole' }, '*', mine)

      assert.equal(replaced.status, 200, replaced.text)
      const { title, state, algorithms, jwks } = replaced.json
      assert.deepEqual([title, state, algorithms, jwks], ['Whole', 'DISABLED', ['RS256'], undefined])
    })

    test('what was answered can be given back and changes nothing', async () => {
      const mine = await register({ jwks: staticKeys('a') })
      const { etag: _etag, updateTime: _time, ...before } = await get(mine)

      for (const mask of [undefined, '*', 'title,state,algorithms,jwks,issuerUrl,providerType']) {
        const answer = await patch(await get(mine), mask, mine)

        assert.equal(answer.status, 200, answer.text)
        const { etag: _, updateTime: __, ...now } = answer.json
        assert.deepEqual(now, before)
      }
    })

    test('what cannot be changed, or is no field, is refused by name', async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const mine = await register()
      const before = await get(mine)
      const cases: readonly (readonly [body: unknown, mask: string | undefined, names: RegExp])[] = [
        [{ issuerUrl: 'https://other.example' }, undefined, /^issuerUrl .*register another issuer/],
        [{ issuerUrl: 'https://other.example' }, 'issuerUrl', /^issuerUrl .*register another issuer/],
        [{ issuerUrl: 'https://other.example' }, '*', /^issuerUrl .*register another issuer/],
        [{}, 'issuerUrl', /^issuerUrl .*register another issuer/],
        [{ providerType: 'GITHUB' }, undefined, /^providerType .*register another issuer/],
        [{}, 'titl', /updateMask .*'titl'.*nearest is title/],
        [{}, 'issuer_url', /updateMask .*'issuer_url'.*nearest is issuerUrl/],
        [{}, 'jwks.keys', /updateMask .*'jwks\.keys'/],
        [{}, 'keys', /updateMask .*'keys', which cannot be set/],
        [{}, 'name', /updateMask .*'name', which cannot be set/],
        [{}, 'etag', /updateMask .*'etag', which cannot be set/],
        [{}, 'updateTime', /updateMask .*'updateTime', which cannot be set/],
        [{}, 'title,', /updateMask .*empty/],
        [{}, 'title,%20state', /updateMask .*' state'.*nearest is state/],
        [{}, '*,title', /updateMask .*\*/],
        [{}, undefined, /no field that can be changed/],
        [{}, 'state', /^state is required/],
        [{ state: 'DELETED' }, undefined, /^state must be 'ACTIVE' or 'DISABLED'/],
        [{ state: null }, undefined, /^state/],
        [{ title: '' }, undefined, /^title must not be blank/],
        [{ title: ' ' }, undefined, /^title must not be blank/],
        [{ title: 'a\nb' }, undefined, /^title/],
        [{ titl: 'x' }, undefined, /^titl .*title/],
        [{ algorithms: [] }, undefined, /^algorithms/],
        [{ algorithms: ['none'] }, undefined, /^algorithms/],
        [{ jwks: { keys: [] } }, undefined, /^jwks/],
        [
          { jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k' }] } },
          undefined,
          /^jwks.* private/,
        ],
        [{ jwks: { keys: [{ kty: 'oct', k: 'AAAA', kid: 'k' }] } }, undefined, /^jwks.* shared secret/],
        [{ jwks: [] }, undefined, /^jwks/],
        [{ etag: 3 }, undefined, /^etag/],
        [[], undefined, /./],
      ]
      for (const [body, mask, names] of cases) {
        assertProblem(await patch(body, mask, mine), 400, 3, names)
      }
      assert.deepEqual(await get(mine), before)
    })

    test('static keys are used from the next exchange on, and once removed the keys are fetched again', async () => {
      const wrong = publicJwk({ ...world.gitlab.key, kid: 'other' })
      assert.equal(reasonOf(await exchange()), 200)

      const held = await patch({ jwks: { keys: [wrong] } })
      const refused = await exchange()
      const shown = (await get()).keys
      const { jwks } = world.gitlab.requests
      const released = await patch({ jwks: null })
      const allowed = await exchange()

      assert.deepEqual(held.json.jwks.keys[0].kid, 'other')
      assert.equal(reasonOf(refused), 'token_key')
      assert.deepEqual(shown, { fetchTime: null, keyIds: ['other'], lastError: null })
      assert.equal(released.json.jwks, undefined)
      assert.equal(reasonOf(allowed), 200, allowed.text)
      assert.equal(world.gitlab.requests.jwks, jwks + 1)
    })

    test('static keys that will never verify a token are told of, also after a change of algorithms', async () => {
      const mine = await register({ jwks: staticKeys('mine') })

      const changed = await patch({ algorithms: ['ES256'] }, undefined, mine)

      assert.match(changed.json.notices.join(), /mine .*suits none of ES256/)
    })

    test('a new title throws away no fetched keys', async () => {
      await exchange()
      const { jwks } = world.gitlab.requests

      await patch({ title: 'Another' })
      const answer = await exchange()

      assert.equal(answer.status, 200, answer.text)
      assert.equal(world.gitlab.requests.jwks, jwks)
      assert.deepEqual((await get()).keys.keyIds, [world.gitlab.key.kid])
    })

    test('tokens of a disabled or deleted issuer are refused like those of an unknown one, until it is back', async () => {
      await patch({ state: 'DISABLED' })
      const disabled = await exchange()
      await patch({ state: 'ACTIVE' })
      const enabled = await exchange()
      const deleted = await remove(name)
      const gone = await exchange()
      const back = await undelete(name)
      const allowed = await exchange()

      for (const refused of [disabled, gone]) {
        assertProblem(refused, 401, 16, /issuer .* is not registered here/)
        assert.equal(reasonOf(refused), 'token_issuer')
      }
      assert.equal(enabled.status, 200, enabled.text)
      assert.deepEqual([deleted.status, deleted.json], [200, {}])
      assert.equal(back.json.state, 'ACTIVE')
      assert.equal(back.headers.get('etag'), `"${back.json.etag}"`)
      assert.equal(allowed.status, 200, allowed.text)
    })

    test('a deleted issuer is shown as such, and until it is undeleted nothing else can be done with it', async () => {
      const mine = await register()
      await remove(mine)

      assert.equal((await get(mine)).state, 'DELETED')
      const again = (id: string, issuerUrl: string) =>
        world.admin('POST', `/v1/issuers?issuerId=${id}`, { issuerUrl, providerType: 'GITLAB' })
      for (const answer of [
        await again(mine.split('/')[1] ?? '', 'https://free.example'),
        await again('free-id', (await get(mine)).issuerUrl),
      ]) {
        assertProblem(answer, 409, 6, new RegExp(`deleted.*/v1/${mine}:undelete`))
      }
      for (const answer of [await patch({ title: 'x' }, undefined, mine), await refresh(mine)]) {
        assertProblem(answer, 400, 9, /is deleted: undelete it first/)
      }
      assertProblem(await remove(mine), 404, 5, /deleted already/)
      assert.equal((await undelete(mine)).json.state, 'ACTIVE')
      assertProblem(await undelete(mine), 400, 9, /not deleted/)
    })

    test('an issuer that is not there is not found', async () => {
      for (const answer of [
        await patch({ title: 'x' }, undefined, 'issuers/nobody'),
        await remove('issuers/nobody'),
        await undelete('issuers/nobody'),
        await refresh('issuers/nobody'),
      ]) {
        assertProblem(answer, 404, 5, /no such issuer/)
      }
    })

    test('a change that was meant for another state is refused, whatever it is', async () => {
      const mine = await register()
      const stale = (await get(mine)).etag
      await patch({ title: 'newer' }, undefined, mine)
      const before = await get(mine)
      const send = (method: string, path: string, etag: string, body?: unknown) =>
        world.request(method, path, {
          body,
          headers: { authorization: `Bearer ${world.adminToken}`, 'if-match': etag },
        })

      for (const etag of [`"${stale}"`, '"0"', `W/"${before.etag}"`, `"${stale}", "x"`]) {
        assertProblem(
          await send('PATCH', `/v1/${mine}`, etag, { title: 'lost' }),
          409,
          10,
          /changed meanwhile/,
        )
        assertProblem(await send('DELETE', `/v1/${mine}`, etag), 409, 10, /changed meanwhile/)
        assertProblem(await send('POST', `/v1/${mine}:refreshKeys`, etag), 409, 10, /changed meanwhile/)
      }
      assertProblem(
        await patch({ title: 'lost', etag: stale }, undefined, mine),
        409,
        10,
        /changed meanwhile/,
      )
      assertProblem(
        await send('PATCH', `/v1/${mine}`, `"${before.etag}"`, { title: 'lost', etag: stale }),
        409,
        10,
        /changed meanwhile/,
      )
      assert.deepEqual(await get(mine), before)
      const one = await send('PATCH', `/v1/${mine}`, `"x", "${before.etag}"`, { title: 'two' })
      const two = await patch({ title: 'three', etag: one.json.etag }, undefined, mine)
      const gone = await send('DELETE', `/v1/${mine}`, `"${two.json.etag}"`)
      assertProblem(await send('POST', `/v1/${mine}:undelete`, `"${stale}"`), 409, 10, /changed meanwhile/)
      const back = await send('POST', `/v1/${mine}:undelete`, '*')
      assert.deepEqual(
        [one, two, gone, back].map(({ status }) => status),
        [200, 200, 200, 200],
      )
    })

    test('issuers are listed by id, each once, and deleted ones where they are asked for', async () => {
      const ids = ['z-last', 'list-10', 'list-2', 'list', 'listed']
      for (const id of ids) {
        await world.admin('POST', `/v1/issuers?issuerId=${id}`, {
          issuerUrl: `https://${id}.list.example`,
          providerType: 'GITLAB',
        })
      }
      await remove('issuers/list-2')
      const all = async (query: string) => {
        const pages: (readonly { name: string; state: string }[])[] = []
        let pageToken = ''
        do {
          const { json, status, text } = await world.admin(
            'GET',
            `/v1/issuers?pageSize=2&pageToken=${pageToken}${query}`,
          )
          assert.equal(status, 200, text)
          pages.push(json.issuers)
          pageToken = json.nextPageToken
        } while (pageToken !== '')
        return pages.flat()
      }
      const namesOf = (issuers: readonly { name: string }[]) => issuers.map(({ name }) => name)

      const living = await all('')
      const withDeleted = await all('&showDeleted=true')

      assert.deepEqual(namesOf(living), namesOf(living).toSorted())
      assert.equal(new Set(namesOf(withDeleted)).size, withDeleted.length)
      assert.deepEqual(
        namesOf(living).filter((each) => each.includes('/list')),
        ['issuers/list', 'issuers/list-10', 'issuers/listed'],
      )
      assert.equal(withDeleted.find((each) => each.name === 'issuers/list-2')?.state, 'DELETED')
      assert.ok(living.every(({ state }) => state !== 'DELETED'))
      assert.deepEqual(
        living.find((each) => each.name === name),
        await get(),
      )
    })

    test('a list is asked for in its own words, and a page belongs to its list', async () => {
      const { nextPageToken } = (await world.admin('GET', '/v1/issuers?pageSize=1')).json

      for (const [query, names] of [
        ['showDeleted=yes', /showDeleted/],
        ['filter=x', /'filter'/],
        ['pageSize=-1', /pageSize/],
        [`pageToken=${nextPageToken}&showDeleted=true`, /pageToken/],
      ] as const) {
        assertProblem(await world.admin('GET', `/v1/issuers?${query}`), 400, 3, names)
      }
      assertProblem(await world.admin('GET', `/v1/decisions?pageToken=${nextPageToken}`), 400, 3, /pageToken/)
    })

    test('keys are fetched at once when asked for, whatever was fetched or failed before', async () => {
      await exchange()
      world.gitlab.rotateKeys()
      const rotated = await refresh()
      world.gitlab.behave({ jwks: { status: 500, body: 'secret of the inside network' } })
      const failed = await refresh()
      const failedAgain = await refresh()
      world.gitlab.behave()
      const { jwks } = world.gitlab.requests
      const mended = await refresh()

      assert.equal(rotated.status, 200, rotated.text)
      assert.ok(rotated.json.keys.keyIds.includes(world.gitlab.key.kid))
      for (const answer of [failed, failedAgain]) {
        assert.equal(answer.status, 200)
        assert.match(answer.json.keys.lastError, /not 200/)
        assert.ok(answer.json.keys.keyIds.includes(world.gitlab.key.kid), 'good keys stay')
        assert.doesNotMatch(answer.text, /secret/)
      }
      assert.equal(mended.json.keys.lastError, null)
      assert.equal(mended.json.keys.fetchTime, new Date(world.clock()).toISOString())
      assert.equal(world.gitlab.requests.jwks, jwks + 1)
      assert.equal(mended.headers.get('etag'), `"${mended.json.etag}"`)
      assert.equal((await exchange()).status, 200)
    })

    test('a disabled issuer can be tried before it is enabled', async () => {
      await patch({ state: 'DISABLED' })

      const tried = await refresh()
      await patch({ state: 'ACTIVE' })

      assert.equal(tried.json.state, 'DISABLED')
      assert.equal(tried.json.keys.lastError, null)
    })

    test('static keys are never fetched, also when asked for', async () => {
      const mine = await register({ jwks: staticKeys('a') })

      assertProblem(await refresh(mine), 400, 9, /static keys/)
    })

    test('disabled in the middle of load, an issuer is refused from then on by every instance', async () => {
      const instances = kind === 'embedded' ? [world.app] : [world.app, await world.startInstance()]
      for (const instance of instances) assert.equal((await exchange(instance)).status, 200)
      const load = instances.flatMap((instance) => Array.from({ length: 60 }, () => exchange(instance)))

      const disabled = await patch({ state: 'DISABLED' })
      const afterwards = instances.flatMap((instance) => Array.from({ length: 20 }, () => exchange(instance)))
      const during = await Promise.all(load)
      const refused = await Promise.all(afterwards)
      await patch({ state: 'ACTIVE' })
      const enabled = await Promise.all(instances.map((instance) => exchange(instance)))

      assert.equal(disabled.status, 200)
      assert.deepEqual([...new Set(refused.map(reasonOf))], ['token_issuer'])
      for (const answer of during) assert.ok([200, 'token_issuer'].includes(reasonOf(answer)), answer.text)
      assert.deepEqual([...new Set(enabled.map(reasonOf))], [200])
      const decisions = await world.decisions(email)
      const allowed = new Set(
        decisions.filter(({ outcome }) => outcome === 'ALLOWED').map((decision) => decision.name),
      )
      for (const { json } of during.filter(({ status }) => status === 200)) {
        assert.ok(allowed.has(`decisions/${json.decisionId}`))
      }
    })

    test('an issuer that another instance disables and enables is seen to be so, refusals too', async () => {
      if (kind === 'embedded') return
      const other = await world.startInstance()
      assert.equal(reasonOf(await exchange(other)), 200)

      for (const [state, reason] of [
        ['DISABLED', 'token_issuer'],
        ['ACTIVE', 200],
        ['DISABLED', 'token_issuer'],
        ['ACTIVE', 200],
      ]) {
        await patch({ state })

        assert.equal(reasonOf(await exchange(other)), reason)
        assert.equal(reasonOf(await exchange()), reason)
      }
      await patch({ algorithms: ['ES256'] })
      assert.equal(reasonOf(await exchange(other)), 'token_algorithm')
      await patch({ algorithms: ['RS256'] })
      assert.equal(reasonOf(await exchange(other)), 200)
    })

    test('without the admin token nothing is changed or listed', async () => {
      const before = await get()
      const calls = [
        ['GET', '/v1/issuers'],
        ['PATCH', `/v1/${name}`],
        ['DELETE', `/v1/${name}`],
        ['POST', `/v1/${name}:undelete`],
        ['POST', `/v1/${name}:refreshKeys`],
      ] as const
      for (const [method, path] of calls) {
        assertProblem(await world.request(method, path), 401, 16, /admin token/)
      }
      assert.deepEqual(await get(), before)
    })
  })
}
