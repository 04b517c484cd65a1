import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { BUILT_IN_ROLES } from '../../src/access/built-in-roles.ts'
import { PERMISSIONS } from '../../src/access/permissions.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { startWorld, type World } from '../support/world.ts'
import { codeBlocks, readPage } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const PAGE = 'docs/roles.md'
const EMAIL = 'payments-ci@workload.claimgate.internal'

test('the page lists every permission, and no other', () => {
  const [, section = ''] = readPage(PAGE).split('| collection | verbs |')

  const listed = [...section.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].flatMap(([, collection, verbs = '']) =>
    [...verbs.matchAll(/`(\w+)`/g)].map(([, verb]) => `claimgate.${collection}.${verb}`),
  )

  assert.deepEqual(listed, PERMISSIONS)
})

test('the page lists every built-in role, and what the agent of services may', () => {
  const page = readPage(PAGE)
  const listed = [...page.matchAll(/^\| `roles\/(\w+)` \|/gm)].map(([, id]) => id)
  const agent = [
    ...(/^\| `roles\/gitopsServiceAgent` \|.*$/m.exec(page)?.[0] ?? '').matchAll(/`(bb\.[\w.]+)`/g),
  ]

  assert.deepEqual(
    listed,
    BUILT_IN_ROLES.map(({ id }) => id),
  )
  assert.deepEqual(
    agent.map(([, permission]) => permission),
    BUILT_IN_ROLES.find(({ id }) => id === 'gitopsServiceAgent')?.permissions,
  )
})

describe('the examples of the page', { skip: CANNOT_RUN }, () => {
  let world: World
  before(async () => {
    world = await startWorld('embedded', { IDENTITY_DOMAIN: 'workload.claimgate.internal' })
  })
  after(() => world?.close())

  test('do what it says', async () => {
    const blocks = codeBlocks(PAGE, { 'https://gitlab.com': world.gitlab.issuerUrl })
    const run = async (text: string, env: Record<string, string> = {}) => {
      const known = { BYTEBASE_URL: world.app.url, ADMIN_TOKEN: world.adminToken }
      const { output, exitCode } = await runShell(text, { ...known, ...env })
      assert.equal(exitCode, 0, output)
      assert.doesNotMatch(output, /"code":\d/)
      return output
    }
    const signIn = async (claims: Readonly<Record<string, unknown>>) => {
      const own = { namespace_path: 'my-group', project_path: 'my-group/my-project', ...claims }
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', own)), EMAIL)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken as string
    }
    const [roles = '', members = '', changed = '', me = ''] = blocks.map(({ text }) => text)
    const ask = async (token: string) => JSON.parse(await run(me, { ACCESS_TOKEN: token }))
    assert.equal(blocks.length, 4)

    await run(roles)
    await run(members)
    const main = await signIn({ ref: 'main', ref_path: 'refs/heads/main' })
    const branch = await signIn({ ref: 'x', ref_path: 'refs/heads/x', ref_protected: 'false' })
    const before = [await ask(main), await ask(branch)]
    await run(changed)
    const after = [await ask(main), await ask(branch)]

    const name = 'projects/payments'
    assert.deepEqual(before, [
      { roles: [], projects: [{ name, roles: ['roles/gitopsServiceAgent', 'roles/reviewer'] }] },
      { roles: [], projects: [{ name, roles: ['roles/reviewer'] }] },
    ])
    assert.deepEqual(after, [
      { roles: [], projects: [{ name, roles: ['roles/gitopsServiceAgent'] }] },
      { roles: [], projects: [] },
    ])
  })
})
