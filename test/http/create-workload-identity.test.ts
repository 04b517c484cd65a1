import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of DATABASES) {
  describe(`creating identities on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const body = (config?: object, more?: object) => identityBody(world.gitlab.issuerUrl, config, more)
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
      const { etag, createTime, updateTime, policyDigest, notices, findings, ...rest } = created.json
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
        tests: [],
      })
      assert.match(etag, /^\d+$/)
      assert.equal(createTime, new Date(world.clock()).toISOString())
      assert.equal(updateTime, createTime)
      assert.match(policyDigest, /^sha256:[0-9a-f]{64}$/)
      assert.match(notices.join(), /registered as issuers\/i-127-0-0-1-\d+/)
      assert.ok(findings.length > 0)
      const { notices: _, findings: __, ...stored } = created.json
      assert.deepEqual(read.json, stored)
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

    test('a notice tells that the issuer lets nobody in, when an identity is made and when it is changed', async () => {
      const issuerUrl = 'https://gitlab.stopped.example.com'
      const active = await create('stopped-active', body({ issuerUrl }))
      const title = async () =>
        (
          await world.admin('PATCH', `/v1/workloadIdentities/stopped-active@${IDENTITY_DOMAIN}`, {
            title: 'X',
          })
        ).json.notices ?? []
      const notices = async (id: string) => (await create(id, body({ issuerUrl }))).json.notices ?? []
      const issuer = '/v1/issuers/gitlab-stopped-example-com'
      const isStopped = /^issuers\/gitlab-stopped-example-com is (\w+), so no token of it is accepted\.$/
      const told = (all: readonly string[]) => all.flatMap((notice) => isStopped.exec(notice)?.[1] ?? [])

      assert.deepEqual(told(active.json.notices), [])
      assert.deepEqual(told(await title()), [])
      await world.admin('PATCH', issuer, { state: 'DISABLED' })
      assert.deepEqual(told(await notices('stopped-disabled')), ['disabled'])
      assert.deepEqual(told(await title()), ['disabled'])
      await world.admin('DELETE', issuer)
      assert.deepEqual(told(await notices('stopped-deleted')), ['deleted'])
      assert.deepEqual(told(await title()), ['deleted'])
      await world.admin('POST', `${issuer}:undelete`)
      assert.deepEqual(told(await notices('stopped-again')), [])
    })

    test("a notice tells that a new issuer's URL is nearly that of another", async () => {
      const registered = 'https://gitlab.near.example.com/Git'
      await create('near-first', body({ issuerUrl: registered }))
      const notice = async (id: string, issuerUrl: string) =>
        (await create(id, body({ issuerUrl }))).json.notices.find((text: string) => /differs/.test(text))

      assert.equal(
        await notice('near-slash', `${registered}/`),
        `${registered}/ differs from issuers/gitlab-near-example-com-git (${registered}) only by a slash at the end: ` +
          'tokens are compared to the letter.',
      )
      assert.match(
        await notice('near-case', 'https://GitLab.near.example.com/Git'),
        /only by upper and lower case:/,
      )
      assert.match(
        await notice('near-both', 'https://gitlab.near.example.com/git/'),
        /only by (a slash at the end and )?upper and lower case:/,
      )
      assert.equal(await notice('near-path', `${registered}/Lab`), undefined)
      assert.equal(await notice('near-host', 'https://gitlab.nearer.example.com/Git'), undefined)
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
  })
}
