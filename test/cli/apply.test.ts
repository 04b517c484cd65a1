import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { processEnv } from '../support/service-process.ts'
import { startWorld, type World } from '../support/world.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

type Outcome = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

describe('claimgate apply where BLOCK_FINDINGS refuses findings', () => {
  let world: World
  let folder: string

  before(async () => {
    world = await startWorld('embedded', { BLOCK_FINDINGS: 'warning' })
    folder = mkdtempSync(join(tmpdir(), 'apply-'))
    const rules = [
      '  - id: narrow',
      '    group: acme',
      '    project: app',
      '    refs: [{ type: BRANCH, pattern: main }]',
      '  - id: wide',
      '    group: acme',
      '    project: web',
    ]
    const head = ['id: deploy', 'providerType: GITLAB', `issuerUrl: ${world.gitlab.issuerUrl}`]
    const audience = 'allowedAudiences: [https://claimgate.example.com]'
    writeFileSync(join(folder, 'deploy.yaml'), [...head, audience, 'rules:', ...rules, ''].join('\n'))
  })
  after(async () => {
    await world?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function run(...args: readonly string[]): Promise<Outcome> {
    const env = { ...processEnv(), ADMIN_TOKEN: world.adminToken }
    const child = spawn(process.execPath, [MAIN, ...args, '--url', world.app.url], { env })
    const out = { stdout: '', stderr: '' }
    child.stdout.on('data', (text) => (out.stdout += text))
    child.stderr.on('data', (text) => (out.stderr += text))
    return new Promise((resolve) => child.on('close', (status) => resolve({ status, ...out })))
  }

  test('each is named where the folder has its rule, nothing is changed, and a reason lets it pass', async () => {
    const plan = join(folder, 'plan.json')

    const refused = await run('apply', folder)
    const list = await world.admin('GET', '/v1/workspaces/default/workloadIdentities')
    const planned = await run('plan', folder, '--output', plan)
    const ofPlan = await run('apply', '--plan', plan)
    const acknowledged = await run('apply', folder, '--acknowledge', 'A trial.')

    assert.equal(refused.status, 1, refused.stderr)
    assert.match(
      refused.stderr,
      /deploy\.yaml:10:5: rules\[1\]: warning all_refs: Every Developer of 'acme\/web'/,
    )
    assert.doesNotMatch(refused.stderr, /rules\[0\]/)
    assert.match(refused.stderr, /give the reason by --acknowledge REASON, which is recorded\./)
    assert.doesNotMatch(refused.stderr, /parameter/)
    assert.deepEqual(list.json.workloadIdentities, [])
    assert.equal(planned.status, 1, planned.stderr)
    assert.match(planned.stdout, / all_refs \("wide"\).*, unless it says why: apply --acknowledge REASON\n/)
    assert.equal(ofPlan.status, 1, ofPlan.stderr)
    assert.match(ofPlan.stderr, /^deploy@workload\.example\.com \(wide\): warning all_refs: /m)
    assert.equal(acknowledged.status, 0, acknowledged.stderr)
    assert.match(acknowledged.stdout, /warning all_refs/)
    assert.doesNotMatch(acknowledged.stdout, /--acknowledge/)
  })
})
