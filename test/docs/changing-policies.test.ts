import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { startWorld } from '../support/world.ts'
import { codeBlocks } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const EMAIL = 'gitlab-deploy@workload.claimgate.internal'
const GUARDRAILS = join(import.meta.dirname, '../../policies/guardrails')
const PROTECTED_REFS_TESTS = 'protected_refs_only_tests.json'
const PROJECT = { project_path: 'my-group/my-project' }

test('the guide to changing policies does what it says', { skip: CANNOT_RUN }, async () => {
  const world = await startWorld('embedded', { IDENTITY_DOMAIN: 'workload.claimgate.internal' })
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-changing-'))
  try {
    const rules = [{ group: 'my-group', project: 'my-project', roles: ['roles/gitopsServiceAgent'] }]
    await world.admin(
      'POST',
      '/v1/workspaces/default/workloadIdentities?workloadIdentityId=gitlab-deploy',
      identityBody(world.gitlab.issuerUrl, { rules }),
    )
    const [versions, drafts, guardrails, suggestions] = codeBlocks('docs/changing-policies.md').filter(
      ({ text }) => text.includes('curl'),
    )
    assert.ok(versions && drafts && guardrails && suggestions)
    const env = { BYTEBASE_URL: world.app.url, ADMIN_TOKEN: world.adminToken }

    const versionsRun = await runShell(versions.text, env, directory)
    for (const claims of [gitlabClaims('18.4', PROJECT), mergeRequest(PROJECT)]) {
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), EMAIL)
    }
    const draftsRun = await runShell(
      drafts.text,
      { ...env, IDENTITY: `${world.app.url}/v1/workloadIdentities/${EMAIL}` },
      directory,
    )
    for (const name of ['protected_refs_only.rego', PROTECTED_REFS_TESTS])
      copyFileSync(join(GUARDRAILS, name), join(directory, name))
    const guardrailsRun = await runShell(guardrails.text, env, directory)

    for (let n = 0; n < 10; n++) {
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', PROJECT)), EMAIL)
    }
    const suggestionsRun = await runShell(
      suggestions.text,
      { ...env, IDENTITY: `${world.app.url}/v1/workloadIdentities/${EMAIL}` },
      directory,
    )

    assert.equal(versionsRun.exitCode, 0, versionsRun.output)
    assert.equal(draftsRun.exitCode, 0, draftsRun.output)
    assert.equal(guardrailsRun.exitCode, 0, guardrailsRun.output)
    for (const file of ['impact.json', 'guardrails-impact.json']) {
      const impact = JSON.parse(readFileSync(join(directory, file), 'utf8'))
      assert.deepEqual([impact.newlyDenied.count, impact.unchanged], [1, 1], file)
    }
    assert.equal(suggestionsRun.exitCode, 0, suggestionsRun.output)
    assert.match(suggestionsRun.output, /exchanges that met rule 'rule-\d' came from the branch 'main'/)
    const { policyVersions } = (await world.admin('GET', `/v1/workloadIdentities/${EMAIL}/policyVersions`))
      .json
    assert.deepEqual(
      policyVersions.map(({ change, reason }: Record<string, string>) => [change, reason]),
      [
        ['UPDATE', 'Tightened to what is used'],
        ['ACTIVATION', 'No tokens for merge requests'],
        ['ROLLBACK', 'Broke the nightly deploy'],
        ['UPDATE', 'Production deploys only from main'],
        ['CREATE', null],
      ],
    )
    const saved = (await world.admin('GET', '/v1/guardrails/versions')).json.versions
    assert.deepEqual(
      saved.map(({ change, reason }: Record<string, string>) => [change, reason]),
      [
        ['ROLLBACK', 'Tried'],
        ['ACTIVATION', 'Unprotected branches get no tokens'],
      ],
    )
    assert.deepEqual(saved[1].tests, JSON.parse(readFileSync(join(GUARDRAILS, PROTECTED_REFS_TESTS), 'utf8')))
  } finally {
    await world.close()
    rmSync(directory, { recursive: true })
  }
})
