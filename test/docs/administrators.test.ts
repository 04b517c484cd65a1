import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startWorld } from '../support/world.ts'
import { codeBlocks } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

test("the operators' guide makes administrators, and finds out what one did", {
  skip: CANNOT_RUN,
}, async () => {
  const world = await startWorld('embedded')
  try {
    const blocks = codeBlocks('docs/operate.md').filter(({ text }) => text.includes('/v1/adminTokens'))
    const env = { BYTEBASE_URL: world.app.url, ADMIN_TOKEN: world.adminToken }
    const [making, finding] = blocks.map(({ text }) => `{ ${text} } | jq -sc .`)

    const made = await runShell(making ?? '', env)
    const [ada, audit] = JSON.parse(made.output)
    const headers = { authorization: `Bearer ${audit.token}` }
    const refused = await world.request('POST', '/v1/projects?projectId=mine', { headers, body: {} })
    const found = await runShell(finding ?? '', env)
    const [deleted, { changes }] = JSON.parse(found.output)

    assert.deepEqual([ada.name, audit.name], ['adminTokens/ada', 'adminTokens/nightly-audit'])
    assert.equal(ada.expireTime, undefined)
    assert.equal(refused.status, 403)
    assert.deepEqual(deleted, {})
    assert.deepEqual(
      changes.map(({ outcome, resource }: Record<string, string>) => [outcome, resource]),
      [['REFUSED', 'projects/mine']],
    )
    assert.equal((await world.request('GET', '/v1/projects', { headers })).status, 401)
    assert.match(ada.token, /^cgadm_[a-z0-9-]+_[A-Za-z0-9_-]{43}$/)
  } finally {
    await world.close()
  }
})
