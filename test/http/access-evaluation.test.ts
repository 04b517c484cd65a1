import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { App } from '../../src/app.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, DATABASES, startWorld, type World } from '../support/world.ts'

const ONE = '/access/v1/evaluation'
const MANY = '/access/v1/evaluations'
const CREATE = 'db.databases.create'

for (const kind of DATABASES) {
  describe(`access decisions on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      await admin('POST', '/v1/roles?roleId=dbAgent', {
        title: 'Agent',
        permissions: [CREATE, 'db.databases.get'],
      })
      await admin('POST', '/v1/roles?roleId=dbViewer', { title: 'Viewer', permissions: ['db.databases.get'] })
      for (const id of ['shop', 'books']) await admin('POST', `/v1/projects?projectId=${id}`, {})
      email = await world.createIdentity([
        rule('deploy'),
        rule('release', { refs: [{ type: 'TAG', pattern: 'v*' }] }),
      ])
    })
    after(() => world?.close())

    async function admin(method: string, path: string, body?: unknown) {
      const answer = await world.admin(method, path, body)
      assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`)
      return answer.json
    }
    const rule = (id: string, more: object = {}) => ({ id, group: 'acme', ...more })
    const token = (id: string) => ({ type: 'token', id })
    const workload = (id = email) => ({ type: 'workload', id })
    const project = (id: string) => ({ type: 'project', id })
    const workspace = { type: 'workspace', id: 'default' }
    const question = (subject: object, resource: object = project('shop'), name = CREATE) => ({
      subject,
      action: { name },
      resource,
    })

    async function signIn(of = email, more: Record<string, unknown> = {}): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), of, more)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const ask = (body: object, bearer = world.adminToken, path = ONE, url?: string): Promise<Answer> =>
      world.request('POST', path, {
        body,
        headers: { authorization: `Bearer ${bearer}` },
        ...(url !== undefined && { url }),
      })
    async function decide(...asked: Parameters<typeof ask>) {
      const answer = await ask(...asked)
      assert.equal(answer.status, 200, answer.text)
      assert.equal(typeof answer.json.decision, 'boolean')
      return answer.json
    }
    const setMembers = (id: string, role: string, ...members: string[]) =>
      admin('POST', `/v1/projects/${id}:setIamPolicy`, {
        policy: { bindings: members.length === 0 ? [] : [{ role, members }] },
      })
    const reasonOf = async (...asked: Parameters<typeof ask>) => (await decide(...asked)).context.reason

    describe('a role granted in a project', () => {
      test('lets a token do there what the role gives, and says by what', async () => {
        const of = await world.createIdentity([rule('deploy')])
        await setMembers('shop', 'roles/dbAgent', `workloadIdentity:${of}`)

        const { decision, context } = await decide(question(token(await signIn(of))))

        assert.equal(decision, true)
        assert.deepEqual(context.grants, [
          { role: 'roles/dbAgent', from: 'member', rule: '', on: 'projects/shop' },
        ])
        assert.equal(context.reason, 'allowed')
        assert.match(
          context.message,
          /roles\/dbAgent gives 'db\.databases\.create' on projects\/shop, by membership/,
        )
      })

      test('lets it nothing in another project, in the workspace, or beyond the role', async () => {
        const of = await world.createIdentity([rule('deploy')])
        await setMembers('shop', 'roles/dbViewer', `workloadIdentity:${of}`)
        const subject = token(await signIn(of))

        const answers = [
          await decide(question(subject, project('shop'), 'db.databases.get')),
          await decide(question(subject, project('books'), 'db.databases.get')),
          await decide(question(subject, workspace, 'db.databases.get')),
          await decide(question(subject, project('shop'))),
        ]

        assert.deepEqual(
          answers.map(({ decision }) => decision),
          [true, false, false, false],
        )
        assert.deepEqual(answers[3].context.missing, {
          on: 'projects/shop',
          roles: ['roles/dbAgent'],
          grants: [],
        })
        assert.match(
          answers[3].context.message,
          new RegExp(
            `^roles/dbAgent would give 'db\\.databases\\.create' on projects/shop: workloadIdentity:${of} `,
          ),
        )
      })

      test('counts for the workload by its email as well', async () => {
        await setMembers('shop', 'roles/dbAgent', `workloadIdentity:${email}`)

        assert.equal((await decide(question(workload()))).decision, true)
      })

      test('to tokens of one rule counts for no other token, and for no workload', async () => {
        const of = await world.createIdentity([
          rule('deploy'),
          rule('release', { refs: [{ type: 'TAG', pattern: 'v*' }] }),
        ])
        await setMembers('shop', 'roles/dbAgent', `workloadIdentity:${of}#release`)
        const onMain = await decide(question(token(await signIn(of))))
        const asWorkload = await decide(question(workload(of)))
        await setMembers('shop', 'roles/dbAgent', `workloadIdentity:${of}#deploy`)
        const ofRule = await decide(question(token(await signIn(of))))

        assert.deepEqual(
          [onMain.context.reason, asWorkload.context.reason, ofRule.context.reason],
          ['rule_not_met', 'rule_not_met', 'allowed'],
        )
        assert.match(onMain.context.message, /to tokens that met the rule 'release'; this one met 'deploy'\./)
        assert.deepEqual(onMain.context.missing.grants, [
          { role: 'roles/dbAgent', from: 'member', rule: 'release', on: 'projects/shop' },
        ])
      })
    })

    test("a rule's role counts in the workspace and in each of its projects, for tokens alone", async () => {
      const of = await world.createIdentity([rule('deploy', { roles: ['roles/dbAgent'] })])
      const subject = token(await signIn(of))

      assert.deepEqual(
        [
          await reasonOf(question(subject, workspace)),
          await reasonOf(question(subject, project('books'))),
          await reasonOf(question(workload(of), project('books'))),
        ],
        ['allowed', 'allowed', 'rule_not_met'],
      )
    })

    test("a rule's role of a project's identity counts in that project alone", async () => {
      const { email: of } = await admin(
        'POST',
        '/v1/projects/books/workloadIdentities?workloadIdentityId=of-books',
        {
          title: 'Of books',
          workloadIdentityConfig: {
            providerType: 'GITLAB',
            issuerUrl: world.gitlab.issuerUrl,
            rules: [rule('deploy', { roles: ['roles/dbAgent'] })],
          },
        },
      )
      const subject = token(await signIn(of))

      assert.deepEqual(
        [
          await reasonOf(question(subject, project('books'))),
          await reasonOf(question(subject, project('shop'))),
          await reasonOf(question(subject, workspace)),
        ],
        ['allowed', 'role_missing', 'role_missing'],
      )
    })

    test('a role that a rule gives since is not the token’s, and is told of as such', async () => {
      const of = await world.createIdentity([rule('deploy')])
      const subject = token(await signIn(of))
      await admin('PATCH', `/v1/workloadIdentities/${of}`, {
        workloadIdentityConfig: { rules: [rule('deploy', { roles: ['roles/dbAgent'] })] },
      })

      const before = await decide(question(subject))
      const anew = await decide(question(token(await signIn(of))))

      assert.equal(before.decision, false)
      assert.match(before.context.message, /exchange a new one/)
      assert.equal(anew.decision, true)
    })

    describe('what is not known is denied', () => {
      const CASES: readonly (readonly [name: string, asked: () => object, reason: string])[] = [
        ['another type of subject', () => question({ type: 'user', id: 'alice' }), 'subject_unknown'],
        ['a type in another case', () => question({ type: 'Workload', id: email }), 'subject_unknown'],
        [
          'a workload that there is not',
          () => question(workload('nobody@workload.example.com')),
          'identity_unknown',
        ],
        [
          'a workload by its resource name',
          () => question(workload(`workloadIdentities/${email}`)),
          'identity_unknown',
        ],
        ['what is no token', () => question(token('alice')), 'token_inactive'],
        ['an empty token', () => question(token('')), 'token_inactive'],
        [
          "a job's token",
          () => question(token(world.gitlab.signToken(gitlabClaims('18.4')))),
          'token_inactive',
        ],
        [
          'another type of resource',
          () => question(workload(), { type: 'server', id: 'shop' }),
          'resource_unknown',
        ],
        [
          'another workspace',
          () => question(workload(), { type: 'workspace', id: 'other' }),
          'resource_unknown',
        ],
        ['a project that there is not', () => question(workload(), project('none')), 'resource_unknown'],
        [
          'a project by its resource name',
          () => question(workload(), project('projects/shop')),
          'resource_unknown',
        ],
        [
          'a permission that no role gives',
          () => question(workload(), project('shop'), 'db.fly'),
          'permission_unknown',
        ],
        [
          'a permission in another case',
          () => question(workload(), project('shop'), 'DB.databases.create'),
          'permission_unknown',
        ],
        [
          'a permission by a pattern',
          () => question(workload(), project('shop'), 'db.*'),
          'permission_unknown',
        ],
        [
          'a name of every object',
          () => question(workload(), project('__proto__'), 'constructor'),
          'resource_unknown',
        ],
      ]
      for (const [name, asked, reason] of CASES) {
        test(name, async () => {
          const { decision, context } = await decide(asked())

          assert.deepEqual([decision, context.reason], [false, reason])
          assert.notEqual(context.message, '')
          const recorded = await admin('GET', `/v1/decisions/${context.decisionId}`)
          assert.deepEqual([recorded.kind, recorded.outcome, recorded.reason], ['ACCESS', 'DENIED', reason])
        })
      }

      test("who takes a project's name for its id is told the id", async () => {
        const { context } = await decide(question(workload(), project('projects/shop')))

        assert.match(context.message, /by its id alone, without 'projects\/'\.$/)
      })
    })

    describe('a token that counts no more is inactive, whatever it was', () => {
      const urls: string[] = []
      before(async () => {
        urls.push(world.app.url)
        // The embedded database is one process's alone.
        if (kind === 'postgresql') urls.push((await world.startInstance()).url)
      })

      const LOSSES: readonly (readonly [string, (of: string, accessToken: string) => Promise<unknown>])[] = [
        [
          'its identity is disabled',
          (of) => admin('PATCH', `/v1/workloadIdentities/${of}`, { state: 'DISABLED' }),
        ],
        ['its identity is deleted', (of) => admin('DELETE', `/v1/workloadIdentities/${of}`)],
        [
          'its identity is deleted and made again under the same email',
          async (of) => {
            await admin('DELETE', `/v1/workloadIdentities/${of}`)
            await world.createIdentity([rule('deploy', { roles: ['roles/dbAgent'] })], {
              id: of.slice(0, of.indexOf('@')),
            })
          },
        ],
        [
          'its rule is disabled',
          (of) =>
            admin('PATCH', `/v1/workloadIdentities/${of}`, {
              workloadIdentityConfig: {
                rules: [rule('deploy', { roles: ['roles/dbAgent'], disabled: true })],
              },
            }),
        ],
        [
          'it is revoked',
          (_, accessToken) =>
            world.request('POST', '/oauth2/revoke', {
              raw: new URLSearchParams({ token: accessToken }).toString(),
              headers: {
                authorization: `Bearer ${world.adminToken}`,
                'content-type': 'application/x-www-form-urlencoded',
              },
            }),
        ],
      ]
      for (const [loss, lose] of LOSSES) {
        test(loss, async () => {
          const of = await world.createIdentity([rule('deploy', { roles: ['roles/dbAgent'] })])
          const accessToken = await signIn(of)
          const body = question(token(accessToken))
          const everywhere = () => Promise.all(urls.map((url) => reasonOf(body, world.adminToken, ONE, url)))
          assert.deepEqual(new Set(await everywhere()), new Set(['allowed']))

          await lose(of, accessToken)
          const reasons = await everywhere()
          const itself = await ask(body, accessToken)

          assert.deepEqual(new Set(reasons), new Set(['token_inactive']))
          assert.equal(itself.status, 401)
        })
      }

      test('it expired', async () => {
        const accessToken = await signIn()
        world.clock.advance(3_700_000)

        assert.equal(await reasonOf(question(token(accessToken))), 'token_inactive')
      })
    })

    describe('a change holds for the next evaluation on every instance', () => {
      let other: App
      before(async () => {
        if (kind === 'postgresql') other = await world.startInstance()
      })
      after(() => other?.close())

      const CHANGES: readonly (readonly [string, (of: string) => Promise<unknown>, reason: string])[] = [
        ['a member is taken out', () => setMembers('shop', 'roles/dbAgent'), 'permission_unknown'],
        [
          'a role loses the permission',
          () => admin('PATCH', '/v1/roles/changing', { permissions: ['db.databases.get'] }),
          'permission_unknown',
        ],
        ['the project is deleted', () => admin('DELETE', '/v1/projects/shop'), 'resource_unknown'],
        [
          'the identity is disabled',
          (of) => admin('PATCH', `/v1/workloadIdentities/${of}`, { state: 'DISABLED' }),
          'identity_inactive',
        ],
        [
          'the issuer is disabled',
          () => admin('PATCH', '/v1/issuers/changing', { state: 'DISABLED' }),
          'identity_inactive',
        ],
      ]
      for (const [name, change, reason] of CHANGES) {
        test(name, { skip: kind === 'embedded' }, async () => {
          await world.admin('POST', '/v1/roles?roleId=changing', {
            title: 'Changing',
            permissions: ['db.change'],
          })
          await admin('PATCH', '/v1/roles/changing', { permissions: ['db.change'] })
          await world.admin('POST', '/v1/issuers?issuerId=changing', {
            issuerUrl: 'https://changing.example.com',
            providerType: 'GITLAB',
          })
          const of = await world.createIdentity([rule('deploy')], {
            config: { issuerUrl: 'https://changing.example.com' },
          })
          await setMembers('shop', 'roles/changing', `workloadIdentity:${of}`)
          const body = question(workload(of), project('shop'), 'db.change')
          const both = async () => [
            await reasonOf(body),
            await reasonOf(body, world.adminToken, ONE, other.url),
          ]
          assert.deepEqual(await both(), ['allowed', 'allowed'])

          await change(of)
          const expected = name === 'a member is taken out' ? 'role_missing' : reason

          assert.deepEqual(await both(), [expected, expected])
          await world.admin('POST', '/v1/projects/shop:undelete')
          await world.admin('PATCH', '/v1/issuers/changing', { state: 'ACTIVE' })
        })
      }

      test('and what is given counts at once', { skip: kind === 'embedded' }, async () => {
        const of = await world.createIdentity([rule('deploy')])
        const body = question(token(await signIn(of)), project('books'))
        const both = async () => [
          await reasonOf(body),
          await reasonOf(body, world.adminToken, ONE, other.url),
        ]
        assert.deepEqual(await both(), ['role_missing', 'role_missing'])

        await setMembers('books', 'roles/dbAgent', `workloadIdentity:${of}`)

        assert.deepEqual(await both(), ['allowed', 'allowed'])
      })

      test('a project that there was not is found once it is made', {
        skip: kind === 'embedded',
      }, async () => {
        const of = await world.createIdentity([rule('deploy', { roles: ['roles/dbAgent'] })])
        const body = question(token(await signIn(of)), project(`new-${of.slice(3, 8)}`))
        assert.equal(await reasonOf(body), 'resource_unknown')

        await admin('POST', `/v1/projects?projectId=new-${of.slice(3, 8)}`, {})

        assert.equal(await reasonOf(body), 'allowed')
      })
    })

    describe('who may ask', () => {
      test('an access token about itself, and about nobody else', async () => {
        const accessToken = await signIn()
        const other = await signIn()

        const itself = await ask(question(token(accessToken)), accessToken)
        const another = await ask(question(token(other)), accessToken)
        const its = await ask(question(workload()), accessToken)

        assert.equal(itself.status, 200, itself.text)
        assert.deepEqual([another.status, its.status], [403, 403])
        assert.match(another.text, /claimgate\.access\.evaluate/)
        const { access } = await admin('GET', `/v1/decisions/${itself.json.context.decisionId}`)
        assert.equal(access.caller, `workloadIdentities/${email}`)
      })

      test('one for another audience about itself too', async () => {
        const of = await world.createIdentity([rule('deploy')], { identity: { tokenAudiences: ['urn:db'] } })
        const accessToken = await signIn(of, { audience: 'urn:db' })

        assert.equal((await ask(question(token(accessToken)), accessToken)).status, 200)
        assert.equal((await ask(question(workload()), accessToken)).status, 401)
        assert.equal((await decide(question(token(accessToken)))).context.reason, 'role_missing')
      })

      test('an access token whose identity holds the permission, about anybody', async () => {
        await world.admin('POST', '/v1/roles?roleId=evaluator', {
          title: 'E',
          permissions: ['claimgate.access.evaluate'],
        })
        const of = await world.createIdentity([rule('ci', { roles: ['roles/evaluator'] })])
        const accessToken = await signIn(of)

        const answer = await decide(question(workload()), accessToken)

        const { access } = await admin('GET', `/v1/decisions/${answer.context.decisionId}`)
        assert.equal(access.caller, `workloadIdentities/${of}`)
      })

      test('many questions of a token must all be about itself', async () => {
        const accessToken = await signIn()
        const evaluations = [
          { resource: project('shop') },
          { resource: project('books'), subject: workload() },
        ]
        const body = { subject: token(accessToken), action: { name: CREATE }, evaluations }

        const mixed = await ask(body, accessToken, MANY)
        const own = await ask({ ...body, evaluations: evaluations.slice(0, 1) }, accessToken, MANY)

        assert.deepEqual([mixed.status, own.status], [403, 200])
      })

      test('nobody without a token, nor with one that is none', async () => {
        const body = question(workload())
        const without = await world.request('POST', ONE, { body })
        const none = await ask(body, 'none')
        const itself = await ask(question(token('none')), 'none')

        for (const answer of [without, none, itself]) {
          assert.equal(answer.status, 401)
          assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/)
          assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
        }
      })

      test('who may not ask learns nothing of what is wrong with the question', async () => {
        const accessToken = await signIn()

        const answers = [await ask({}, accessToken), await ask({ subject: 1 }, accessToken)]

        assert.deepEqual(
          answers.map(({ status }) => status),
          [403, 403],
        )
      })

      test('a token is told the same of a project that there is not and of one where it has nothing', async () => {
        const accessToken = await signIn(await world.createIdentity([rule('deploy')]))

        const [there, nowhere] = [
          await decide(question(token(accessToken), project('books')), accessToken),
          await decide(question(token(accessToken), project('bookz')), accessToken),
        ]
        const asAdministrator = await decide(question(token(accessToken), project('bookz')))

        const same = (text: string) => text.replaceAll('bookz', 'books')
        assert.equal(same(nowhere.context.message), there.context.message)
        assert.deepEqual([there.context.reason, nowhere.context.reason], ['role_missing', 'role_missing'])
        assert.equal(asAdministrator.context.reason, 'resource_unknown')
        const recorded = await admin('GET', `/v1/decisions/${nowhere.context.decisionId}`)
        assert.equal(recorded.reason, 'resource_unknown')
      })
    })

    describe('many questions', () => {
      const evaluations = ['shop', 'books', 'shop'].map((id) => ({ resource: project(id) }))
      const many = (more: object) => ({ action: { name: CREATE }, subject: workload(), evaluations, ...more })
      before(async () => {
        await setMembers('shop', 'roles/dbAgent', `workloadIdentity:${email}`)
        await setMembers('books', 'roles/dbAgent')
      })
      const decisions = async (body: object) => {
        const answer = await ask(body, world.adminToken, MANY)
        assert.equal(answer.status, 200, answer.text)
        assert.equal(Object.hasOwn(answer.json, 'decision'), false)
        return answer.json.evaluations.map((each: { decision: boolean }) => each.decision)
      }
      const semantic = (evaluations_semantic: string) => many({ options: { evaluations_semantic } })

      test('are all answered in their order where nothing else is asked for', async () => {
        assert.deepEqual(await decisions(many({})), [true, false, true])
        assert.deepEqual(await decisions(semantic('execute_all')), [true, false, true])
      })

      test('end with the first denial, or the first permit, where that is asked for', async () => {
        assert.deepEqual(await decisions(semantic('deny_on_first_deny')), [true, false])
        assert.deepEqual(await decisions(semantic('permit_on_first_permit')), [true])
        const reversed = { ...semantic('permit_on_first_permit'), evaluations: evaluations.slice(1) }
        assert.deepEqual(await decisions(reversed), [false, true])
      })

      test('what is left out is not decided either', async () => {
        const count = async () =>
          (await admin('GET', '/v1/decisions?kind=ACCESS&pageSize=1000')).decisions.length
        const before = await count()

        await decisions(semantic('deny_on_first_deny'))

        assert.equal(await count(), before + 2)
      })

      test('an error in one is its own, ends what a denial ends, and is not recorded', async () => {
        const broken = [{ resource: project('shop') }, {}, { resource: project('shop') }]
        const body = many({ evaluations: broken })

        const all = await ask(body, world.adminToken, MANY)
        const first = await ask(
          { ...body, options: { evaluations_semantic: 'deny_on_first_deny' } },
          world.adminToken,
          MANY,
        )

        assert.deepEqual(
          all.json.evaluations.map((each: { decision: boolean }) => each.decision),
          [true, false, true],
        )
        assert.deepEqual(all.json.evaluations[1].context, {
          error: { status: 400, message: 'evaluations[1].resource is required.' },
        })
        assert.equal(first.json.evaluations.length, 2)
      })

      test('at most a hundred', async () => {
        const body = (count: number) =>
          many({ evaluations: Array.from({ length: count }, () => evaluations[0]) })

        assert.equal((await decisions(body(100))).length, 100)
        assert.equal((await ask(body(101), world.adminToken, MANY)).status, 400)
      })
    })

    describe('what is recorded', () => {
      test('is who asked what, what the policy was asked, and what it said', async () => {
        const of = await world.createIdentity([rule('deploy', { roles: ['roles/dbAgent'] })])
        const accessToken = await signIn(of)
        const { context } = await decide(question(token(accessToken)))

        const decision = await admin('GET', `/v1/decisions/${context.decisionId}`)

        assert.equal(decision.kind, 'ACCESS')
        assert.equal(decision.identity, of)
        assert.equal(decision.claims, null)
        assert.equal(decision.subjectTokenHash, createHash('sha256').update(accessToken).digest('hex'))
        assert.deepEqual(decision.access, {
          caller: 'adminTokens/first',
          subjectType: 'token',
          permission: CREATE,
          resource: { type: 'project', id: 'shop' },
          input: {
            time: Math.floor(Date.parse(decision.decideTime) / 1000),
            subject: { type: 'token', email: of, project: '', rules: ['deploy'], roles: ['roles/dbAgent'] },
            permission: CREATE,
            resource: { type: 'project', id: 'shop' },
            grants: [
              {
                role: 'roles/dbAgent',
                from: 'rule',
                rule: 'deploy',
                on: 'workspaces/default',
                permissions: [CREATE],
              },
            ],
            givers: ['roles/dbAgent'],
          },
        })
        assert.deepEqual(decision.verdict, {
          allow: true,
          reason: 'allowed',
          grants: [{ role: 'roles/dbAgent', from: 'rule', rule: 'deploy', on: 'workspaces/default' }],
          missing: { on: 'projects/shop', roles: [], grants: [] },
        })
        assert.match(decision.policyDigest, /^sha256:[0-9a-f]{64}$/)
      })

      test('is found by kind and resource, in a list and never with a token', async () => {
        await decide(question(workload(), project('books')))

        const found = await admin('GET', '/v1/decisions?kind=ACCESS&resource=projects/books&pageSize=100')
        const none = await admin('GET', '/v1/decisions?kind=EXCHANGE&resource=projects/books')
        const all = await world.admin('GET', '/v1/decisions?pageSize=1000')

        assert.ok(found.decisions.length > 0)
        for (const { access } of found.decisions) assert.deepEqual(access.resource, project('books'))
        assert.deepEqual(none.decisions, [])
        assert.doesNotMatch(all.text, /eyJ[A-Za-z0-9_-]{20}/)
      })

      test('is neither a token that is asked about as a workload, nor anything else that is no email', async () => {
        const accessToken = await signIn()
        const ids = [accessToken, accessToken.slice(0, 200), randomBytes(6_000).toString('base64'), '']

        const contexts = await Promise.all(
          ids.map(async (id) => (await decide(question(workload(id)))).context),
        )

        for (const { reason, message, decisionId } of contexts) {
          assert.deepEqual([reason, /is no email/.test(message)], ['identity_unknown', true])
          assert.equal((await admin('GET', `/v1/decisions/${decisionId}`)).identity, null)
        }
      })

      test('is nothing but counts of tokens that do not count, where there are too many', async () => {
        const ip = '203.0.113.77'
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, n) =>
            world.request('POST', ONE, {
              ip,
              body: question(token(`none-${n}`)),
              headers: { authorization: `Bearer ${world.adminToken}` },
            }),
          ),
        )
        const kept = answers.filter(({ json }) => json.context.decisionId !== undefined)
        world.clock.advance(61_000)
        await decide(question(token('one more')))

        assert.ok(answers.every(({ status, json }) => status === 200 && json.decision === false))
        assert.equal(kept.length, 10)
      })
    })
  })
}
