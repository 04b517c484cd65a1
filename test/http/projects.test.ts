import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const PROJECTS = '/v1/projects'

for (const kind of DATABASES) {
  describe(`projects on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const create = (id: string, body: unknown = {}) =>
      world.admin('POST', `${PROJECTS}?projectId=${encodeURIComponent(id)}`, body)
    const get = (id: string) => world.admin('GET', `${PROJECTS}/${id}`)
    const patch = (id: string, body: unknown, mask?: string) =>
      world.admin('PATCH', `${PROJECTS}/${id}${mask === undefined ? '' : `?updateMask=${mask}`}`, body)
    const remove = (id: string) => world.admin('DELETE', `${PROJECTS}/${id}`)
    const undelete = (id: string) => world.admin('POST', `${PROJECTS}/${id}:undelete`)
    const list = (query: Record<string, string>) =>
      world.admin('GET', `${PROJECTS}?${new URLSearchParams(query)}`)

    test('a project is created, and read back as it was answered', async () => {
      const created = await create('shop', { title: 'The shop' })
      const untitled = await create('untitled')

      assert.equal(created.status, 200, created.text)
      assertSafeHeaders(created)
      const { etag, createTime, updateTime, ...rest } = created.json
      assert.deepEqual(rest, { name: 'projects/shop', title: 'The shop', state: 'ACTIVE' })
      assert.match(etag, /^\d+$/)
      assert.equal(createTime, new Date(world.clock()).toISOString())
      assert.equal(updateTime, createTime)
      assert.equal(untitled.json.title, 'untitled')
      assert.deepEqual((await get('shop')).json, created.json)
      assertProblem(await get('none'), 404, 5, /no such project/)
    })

    test('an id is lower case and short, and taken once, also by a deleted project', async () => {
      const ids = ['Web', '1st', '-a', 'a-', 'a_b', 'a.b', 'a/b', 'a@b', 'ä', 'a'.repeat(64), 'a b']
      for (const id of ids) assertProblem(await create(id), 400, 3, /projectId must be/)
      assertProblem(await world.admin('POST', PROJECTS, {}), 400, 3, /projectId is required/)
      assert.equal((await create('a'.repeat(63))).status, 200)

      await create('once')
      assertProblem(await create('once'), 409, 6, /projects\/once exists already/)
      await remove('once')
      assertProblem(await create('once'), 409, 6, /undeleted/)
      const race = await Promise.all(Array.from({ length: 5 }, () => create('raced')))
      assert.deepEqual(race.map(({ status }) => status).sort(), [200, 409, 409, 409, 409])
    })

    test('a body that does not fit is refused by its field', async () => {
      const cases: readonly (readonly [body: unknown, names: RegExp])[] = [
        [{ tittle: 'x' }, /tittle is not a field: the nearest is title/],
        [{ title: '' }, /title/],
        [{ title: '  ' }, /title must not be blank/],
        [{ title: 'a\nb' }, /title must be one line/],
        [{ title: 'a\\b' }, /title must be one line/],
        [{ title: 'x'.repeat(201) }, /title/],
        [{ title: 5 }, /title must be a string/],
        [{ name: 'projects/other' }, /name must be projects\/wrong/],
        [{ state: 'DELETED' }, /state must be 'ACTIVE'/],
      ]
      for (const [body, names] of cases) assertProblem(await create('wrong', body), 400, 3, names)
      assertProblem(await get('wrong'), 404, 5, /./)
    })

    test('its title can be changed, and nothing else', async () => {
      const { json: before } = await create('titled', { title: 'Before' })
      world.clock.advance(1_000)

      const after = await patch('titled', { title: 'After' }, 'title')
      const whole = await patch('titled', { ...after.json, title: 'Whole' })
      const reset = await patch('titled', {}, 'title')

      assert.equal(after.json.title, 'After')
      assert.notEqual(after.json.etag, before.etag)
      assert.equal(after.json.updateTime, new Date(world.clock()).toISOString())
      assert.equal(after.json.createTime, before.createTime)
      assert.equal(whole.json.title, 'Whole')
      assert.equal(reset.json.title, 'titled')
      for (const mask of ['name', 'state', 'etag', 'createTime']) {
        assertProblem(
          await patch('titled', { title: 'x' }, mask),
          400,
          3,
          new RegExp(`'${mask}', which cannot be set`),
        )
      }
      assertProblem(await patch('titled', { title: 'x' }, 'tittle'), 400, 3, /the nearest is title/)
      for (const state of ['DELETED', 'DISABLED']) {
        const answer = await patch('titled', { title: 'x', state })
        assertProblem(answer, 400, 3, 'state cannot be changed: use DELETE and :undelete.')
      }
      assertProblem(await patch('titled', {}), 400, 3, /no field that can be changed/)
      assertProblem(await patch('titled', { title: 'x', name: 'projects/web' }), 400, 3, /name must be/)
      assertProblem(await patch('none', { title: 'x' }), 404, 5, /no such project/)
    })

    test('is deleted softly, and undeleted', async () => {
      await create('mortal', { title: 'Mortal' })
      const before = (await get('mortal')).json

      const removed = await remove('mortal')
      const shown = (await get('mortal')).json
      const again = await remove('mortal')
      const changed = await patch('mortal', { title: 'x' })
      const back = await undelete('mortal')
      const twice = await undelete('mortal')

      assert.deepEqual(removed.json, {})
      assert.equal(shown.state, 'DELETED')
      assertProblem(again, 404, 5, /deleted already/)
      assertProblem(changed, 400, 9, /undelete it first/)
      const { etag: _, ...rest } = back.json
      const { etag: __, ...same } = before
      assert.deepEqual(rest, same)
      assertProblem(twice, 400, 9, /is not deleted/)
      assertProblem(await undelete('none'), 404, 5, /no such project/)
      assertProblem(await remove('none'), 404, 5, /no such project/)
    })

    test('the list goes by id over its pages, with deleted ones where they are asked for', async () => {
      for (const id of ['l-1', 'l1', 'l-2', 'l-gone']) await create(id, { title: `listed ${id}` })
      await remove('l-gone')
      const filter = 'title.contains("listed")'
      const namesOf = (answer: { json: { projects: { name: string }[] } }) =>
        answer.json.projects.map(({ name }) => name)

      const first = await list({ filter, pageSize: '2' })
      const second = await list({ filter, pageSize: '2', pageToken: first.json.nextPageToken })
      const all = await list({ filter, showDeleted: 'true' })
      const deleted = await list({ filter: `${filter} && state == "DELETED"`, showDeleted: 'true' })
      const one = await list({ filter: 'name == "projects/l1"' })

      assert.deepEqual(namesOf(first), ['projects/l-1', 'projects/l-2'])
      assert.deepEqual(namesOf(second), ['projects/l1'])
      assert.equal(second.json.nextPageToken, '')
      assert.deepEqual(namesOf(all), ['projects/l-1', 'projects/l-2', 'projects/l-gone', 'projects/l1'])
      assert.deepEqual(namesOf(deleted), ['projects/l-gone'])
      assert.deepEqual(one.json.projects, [(await get('l1')).json])
      assertProblem(await list({ filter: 'email == "x"' }), 400, 3, /parameter filter.*name, title/)
      assertProblem(await list({ pageToken: first.json.nextPageToken }), 400, 3, /pageToken/)
    })

    test('are for administrators', async () => {
      const calls = [
        ['POST', `${PROJECTS}?projectId=x`],
        ['GET', `${PROJECTS}/shop`],
        ['PATCH', `${PROJECTS}/shop`],
        ['DELETE', `${PROJECTS}/shop`],
        ['POST', `${PROJECTS}/shop:undelete`],
      ] as const
      for (const [method, path] of calls) {
        assertProblem(await world.request(method, path), 401, 16, /admin token/)
      }
    })
  })
}
