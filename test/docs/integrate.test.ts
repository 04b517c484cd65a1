import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { sendForm } from '../support/oauth.ts'
import { createTestClock, startWorld, type World } from '../support/world.ts'
import { codeBlocks, readPage } from './code-blocks.ts'
import { buildGo, type Example, MISSING, NJS, PYTHON, startExample, startNginx } from './run-example.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'
import { decodePart, encodePart, startBackend, startFront } from './service-surroundings.ts'

const PAGE = 'docs/integrate.md'
const EXAMPLES = join(import.meta.dirname, '../../docs/integrate')
const AUDIENCE = 'https://payments.example.com'
const MINUTE = 60_000
/** Where nothing listens. */
const NOBODY = 'http://127.0.0.1:9'
const INTROSPECTING = ['nginx-introspect.conf', `load_module ${NJS};`] as const
const seconds = () => Math.floor(Date.now() / 1000)

test('the page shows every example as it is, and links it', () => {
  const page = readPage(PAGE)

  for (const name of readdirSync(EXAMPLES)) {
    assert.ok(page.includes(readFileSync(join(EXAMPLES, name), 'utf8')), name)
    assert.ok(page.includes(`(integrate/${name})`), name)
  }
})

describe('the examples for services', { skip: CANNOT_RUN }, () => {
  let world: World
  /** What stands before claimgate: its own keys, one of ours that signs what claimgate never would, and a count. */
  let front: Awaited<ReturnType<typeof startFront>>
  let directory: string
  let email: string
  let serviceToken: string
  let expired: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'claimgate-integrate-'))
    front = await startFront(() => world.app.url)
    // The examples have the system's clock, which this one, standing still, is never ahead of.
    const clock = createTestClock(Date.now() - 20 * MINUTE)
    world = await startWorld('embedded', { PUBLIC_URL: front.url }, clock)
    email = await world.createIdentity(
      [{ id: 'deploy', group: 'acme', roles: ['roles/gitopsServiceAgent'] }],
      { id: 'deploy', identity: { tokenAudiences: [AUDIENCE], tokenLifetimeSeconds: 900 } },
    )
    await world.admin('POST', '/v1/projects?projectId=payments', {})
    expired = await signIn()
    clock.advance(Date.now() - clock())
    serviceToken = await makeServiceToken()
  })
  after(async () => {
    await world?.close()
    await front?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const settings = () => ({ CLAIMGATE_URL: front.url, ADMIN_TOKEN: world.adminToken })
  async function signIn(audience = AUDIENCE): Promise<string> {
    const token = world.gitlab.signToken(gitlabClaims('18.4'))
    const answer = await world.exchange(token, email, { audience })
    assert.equal(answer.status, 200, answer.text)
    return answer.json.accessToken
  }
  const pageBlock = (part: string) => {
    const block = codeBlocks(PAGE).find(({ language, text }) => language === 'sh' && text.includes(part))
    assert.ok(block, `${PAGE} has no commands with ${part}`)
    return block.text
  }
  async function makeServiceToken(): Promise<string> {
    const made = await runShell(pageBlock('/v1/adminTokens'), settings(), directory)
    assert.equal(made.exitCode, 0, made.output)
    return readFileSync(join(directory, 'claimgate-token'), 'utf8').trim()
  }
  const revoke = (token: string) =>
    sendForm(world, '/oauth2/revoke', { token }, { authorization: `Bearer ${world.adminToken}` })
  const env = (claimgateUrl = front.url) => ({
    CLAIMGATE_URL: claimgateUrl,
    CLAIMGATE_TOKEN: serviceToken,
    AUDIENCE,
  })

  const kinds: readonly {
    readonly name: string
    readonly skip: string | false
    readonly start: (env: Readonly<Record<string, string>>) => Promise<Example>
  }[] = [
    {
      name: 'Node',
      skip: false,
      start: (given) => startExample(process.execPath, [join(EXAMPLES, 'express-service.js')], given),
    },
    {
      name: 'Go',
      skip: MISSING.go,
      start: async (given) => startExample(await buildGo(directory), [], given),
    },
    {
      name: 'Python',
      skip: MISSING.python,
      start: (given) => startExample(PYTHON, [join(EXAMPLES, 'verify.py')], given),
    },
  ]

  for (const { name, skip, start } of kinds) {
    describe(`offline, in ${name}`, { skip }, () => {
      let example: Example
      before(async () => {
        example = await start(env())
      })
      after(() => example?.stop())

      test('it lets in who has a token for it, and asks for the keys once', async () => {
        const token = await signIn()
        const before = front.keyRequests()

        const answers = [await example.ask(token), await example.ask(token), await example.ask(token)]

        for (const { status, text } of answers) {
          assert.equal(status, 200, text)
          assert.deepEqual(JSON.parse(text), { sub: email, roles: ['roles/gitopsServiceAgent'] })
        }
        assert.equal(front.keyRequests(), before + 1)
      })

      test('it refuses every token that differs in one thing', async () => {
        const token = await signIn()
        const good = front.resign(token)
        const [header = '', body = '', signature = ''] = token.split('.')
        const bad: Readonly<Record<string, string>> = {
          'another audience': await signIn(front.url),
          'a job token': world.gitlab.signToken(gitlabClaims('18.4')),
          expired,
          'not yet valid': front.resign(token, { nbf: seconds() + 120 }),
          'expired, signed alike': front.resign(token, { exp: seconds() - 120 }),
          'an ID token': front.resign(token, {}, { typ: 'JWT' }),
          'no type': front.resign(token, {}, { typ: undefined }),
          'no audience': front.resign(token, { aud: undefined }),
          'another audience, signed alike': front.resign(token, { aud: `${AUDIENCE}/` }),
          'another issuer': front.resign(token, { iss: 'https://claimgate.example.org' }),
          'no issuer': front.resign(token, { iss: undefined }),
          'no expiry': front.resign(token, { exp: undefined }),
          'an expiry in words': front.resign(token, { exp: 'tomorrow' }),
          'no subject': front.resign(token, { sub: undefined }),
          'a critical header': front.resign(token, {}, { crit: ['of-tomorrow'], 'of-tomorrow': 1 }),
          'a key of its own': front.resign(token, {}, { kid: 'unknown' }),
          'no key': front.resign(token, {}, { kid: undefined }),
          'a foreign key': front.resign(token, {}, { kid: decodePart(header).kid }),
          'no algorithm': `${encodePart({ ...decodePart(header), alg: 'none' })}.${body}.`,
          'no algorithm, the signature kept': `${encodePart({ ...decodePart(header), alg: 'none' })}.${body}.${signature}`,
          'the public key as a secret': front.resignWithPublicKey(token),
          'other claims': `${header}.${encodePart({ ...decodePart(body), roles: ['roles/workspaceAdmin'] })}.${signature}`,
          'no signature': `${header}.${body}.`,
          'two parts': `${header}.${body}`,
          'no token': 'null',
        }

        const statuses = Object.fromEntries(
          await Promise.all(
            Object.entries(bad).map(async ([what, each]) => [what, (await example.ask(each)).status]),
          ),
        )
        const without = await example.ask()

        assert.equal((await example.ask(good)).status, 200)
        assert.equal(without.status, 401)
        assert.deepEqual(statuses, Object.fromEntries(Object.keys(bad).map((what) => [what, 401])))
      })

      test('it bears with clocks that differ by less than a minute', async () => {
        const token = await signIn()

        const outdated = await example.ask(front.resign(token, { exp: seconds() - 2 }))
        const early = await example.ask(front.resign(token, { nbf: seconds() + 40 }))

        assert.deepEqual([outdated.status, early.status], [200, 200])
      })

      test('without the keys it lets nobody in, and blames no token', async () => {
        const cutOff = await start(env(NOBODY))
        try {
          const { status } = await cutOff.ask(await signIn())

          assert.ok(status === 500 || status === 503, String(status))
        } finally {
          await cutOff.stop()
        }
      })
    })
  }

  test('in Node, a route asks for a role, another for a permission in a project, which holds at once', async () => {
    const example = await startExample(process.execPath, [join(EXAMPLES, 'express-service.js')], env())
    try {
      const token = await signIn()
      const other = front.resign(token, { roles: ['roles/auditor'] })
      const payments = '/projects/payments/plans'

      const byRole = [
        await example.ask(token, 'POST', '/deploy'),
        await example.ask(other, 'POST', '/deploy'),
      ]
      const allowed = await example.ask(token, 'POST', payments)
      const nowhere = await example.ask(token, 'POST', '/projects/none/plans')
      const foreign = await example.ask(await signIn(front.url), 'POST', payments)
      await world.admin('POST', `/v1/workloadIdentities/${email}:revokeTokens`)
      const revoked = await example.ask(token, 'POST', payments)
      const offline = await example.ask(token, 'POST', '/deploy')

      assert.deepEqual(
        byRole.map(({ status }) => status),
        [200, 403],
      )
      assert.equal(allowed.status, 200, allowed.text)
      assert.equal(nowhere.status, 403)
      assert.equal(JSON.parse(nowhere.text).reason, 'resource_unknown')
      assert.equal(foreign.status, 401)
      assert.equal(revoked.status, 403)
      assert.equal(JSON.parse(revoked.text).reason, 'token_inactive')
      assert.equal(offline.status, 200)
    } finally {
      await example.stop()
    }
  })

  test('a permission is asked for with curl, one and many', async () => {
    const ask = async (part: string) => {
      const token = await signIn()
      const { output, exitCode } = await runShell(pageBlock(part), {
        ...settings(),
        CLAIMGATE_TOKEN: serviceToken,
        ACCESS_TOKEN: token,
      })
      assert.equal(exitCode, 0, output)
      return JSON.parse(output)
    }

    const one = await ask('/access/v1/evaluation"')
    const many = await ask('/access/v1/evaluations"')

    assert.equal(one.decision, true)
    assert.equal(one.context.reason, 'allowed')
    assert.deepEqual(
      many.evaluations.map(({ decision }: { decision: boolean }) => decision),
      [true, true, false],
    )
  })

  test('a job gets a token for the service with curl', async () => {
    const { output, exitCode } = await runShell(pageBlock('"audience"'), {
      ...settings(),
      GITLAB_OIDC_TOKEN: world.gitlab.signToken(gitlabClaims('18.4')),
      WORKLOAD_IDENTITY: email,
    })

    assert.equal(exitCode, 0, output)
    assert.equal(decodePart(JSON.parse(output).accessToken.split('.')[1]).aud, AUDIENCE)
  })

  describe('NGINX', { skip: MISSING.nginx }, () => {
    let backend: Awaited<ReturnType<typeof startBackend>>
    before(async () => {
      backend = await startBackend()
    })
    after(() => backend?.close())

    const start = (name: string, head = '', claimgateUrl = front.url) =>
      startNginx(directory, head, (port) => {
        writeFileSync(
          join(directory, 'claimgate-token.conf'),
          `proxy_set_header Authorization "Bearer ${serviceToken}";\n`,
        )
        return readFileSync(join(EXAMPLES, name), 'utf8')
          .replace(/listen \d+/, `listen 127.0.0.1:${port}`)
          .replaceAll('https://claimgate.example.com', claimgateUrl)
          .replaceAll('http://127.0.0.1:9000', backend.url)
          .replaceAll('/etc/nginx/njs', EXAMPLES)
          .replaceAll('/etc/nginx/claimgate-token.conf', join(directory, 'claimgate-token.conf'))
      })

    test('asks users/me, and lets in whose token counts now', async () => {
      const example = await start('nginx-users-me.conf')
      try {
        const token = await signIn(front.url)
        const good = [await example.ask(token), await example.ask(token, 'POST')]
        const bad = [await example.ask(), await example.ask('null'), await example.ask(await signIn())]
        await revoke(token)
        const revoked = await example.ask(token)

        assert.deepEqual(
          good.map(({ status }) => status),
          [200, 200],
        )
        assert.deepEqual(
          [...bad, revoked].map(({ status }) => status),
          [401, 401, 401, 401],
        )
      } finally {
        await example.stop()
      }
    })

    test('lets nobody in while claimgate does not answer', async () => {
      for (const [name, head] of [
        ['nginx-users-me.conf'] as const,
        ...(MISSING.njs ? [] : [INTROSPECTING]),
      ]) {
        const example = await start(name, head, NOBODY)
        try {
          assert.equal((await example.ask(await signIn())).status, 500, name)
        } finally {
          await example.stop()
        }
      }
    })

    test('asks by introspection, and tells the service who it is', { skip: MISSING.njs }, async () => {
      const example = await start(...INTROSPECTING)
      try {
        const token = await signIn()
        const good = [await example.ask(token), await example.ask(token, 'POST')]
        const bad = [
          await example.ask(),
          await example.ask('null'),
          await example.ask(await signIn(front.url)),
          await example.ask(expired),
        ]
        await revoke(token)
        const revoked = await example.ask(token)

        assert.deepEqual(
          good.map(({ status }) => status),
          [200, 200],
        )
        assert.deepEqual(
          good.map(({ text }) => JSON.parse(text)),
          [
            { workload: email, roles: 'roles/gitopsServiceAgent' },
            { workload: email, roles: 'roles/gitopsServiceAgent' },
          ],
        )
        assert.deepEqual(
          [...bad, revoked].map(({ status }) => status),
          [401, 401, 401, 401, 401],
        )
      } finally {
        await example.stop()
      }
    })
  })

  test('all that verify offline learn of a new key, and that the old ones are gone', async () => {
    const running = await Promise.all(
      kinds.filter(({ skip }) => skip === false).map(({ start }) => start(env())),
    )
    try {
      const old = await signIn()
      for (const example of running) assert.equal((await example.ask(old)).status, 200)
      await world.admin('POST', '/v1/signingKeys:rotate', { immediately: true })
      const fresh = await signIn()

      for (const example of running) {
        // They ask for the keys again at most every five seconds.
        const until = performance.now() + 20_000
        while ((await example.ask(fresh)).status !== 200 && performance.now() < until) await pause(200)

        assert.equal((await example.ask(fresh)).status, 200)
        assert.equal((await example.ask(old)).status, 401)
      }
    } finally {
      for (const example of running) await example.stop()
    }
  })
})
