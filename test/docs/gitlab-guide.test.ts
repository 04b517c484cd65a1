import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { type Claims, gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { createTestClock, startWorld, type World } from '../support/world.ts'
import { codeBlocks, jobScript, jobValue, readPage } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const PAGE = 'docs/gitlab.md'
const PROJECT = { project_path: 'my-group/my-project' }
const EMAIL = 'gitlab-deploy@workload.example.com'

describe('the guide for GitLab users', { skip: CANNOT_RUN }, () => {
  let gitlabCom: Gitlab
  let selfHosted: Gitlab
  let world: World
  let directory: string
  let blocks: ReturnType<typeof codeBlocks>

  before(async () => {
    gitlabCom = await startGitlab({ clock: createTestClock() })
    selfHosted = await startGitlab({ clock: createTestClock(), firstKey: 1 })
    world = await startWorld('embedded', {
      PRIVATE_ISSUERS: `${gitlabCom.issuerUrl},${selfHosted.issuerUrl}`,
    })
    directory = mkdtempSync(join(tmpdir(), 'claimgate-guide-'))
    blocks = codeBlocks(PAGE, {
      'https://gitlab.com': gitlabCom.issuerUrl,
      'https://gitlab.example.com': selfHosted.issuerUrl,
      'workload.claimgate.internal': 'workload.example.com',
    })
    const created = await run(blockWith('workloadIdentityId=gitlab-deploy'))
    assert.equal(JSON.parse(created.output).email, EMAIL, created.output)
  })

  after(async () => {
    await world.close()
    await gitlabCom.close()
    await selfHosted.close()
    rmSync(directory, { recursive: true, force: true })
  })

  function blockWith(text: string, language = 'sh'): string {
    const block = blocks.find((each) => each.language === language && each.text.includes(text))
    assert.ok(block, `the page has no ${language} example with ${text}`)
    return block.text
  }

  function run(script: string, more: Readonly<Record<string, string>> = {}) {
    return runShell(
      script,
      { BYTEBASE_URL: world.app.url, ADMIN_TOKEN: world.adminToken, ...more },
      directory,
    )
  }

  /** Runs a job's script as GitLab would, on a token with these claims and the audience that the pipeline asks for. */
  function runJob(script: string, claims: Claims, aud = jobValue(pipeline(), 'deploy', 'aud')) {
    const token = gitlabCom.signToken({ ...gitlabClaims('18.4', claims), aud })
    return run(script, { GITLAB_OIDC_TOKEN: token, WORKLOAD_IDENTITY_EMAIL: EMAIL })
  }

  const pipeline = () => blockWith('id_tokens', 'yaml')
  /** The page as running text, to find sentences in it that it breaks into lines. */
  const prose = () => readPage(PAGE).replaceAll(/\s+(> )?/g, ' ')
  const stranger = { project_path: 'my-group/other-project' }

  test('its deploy job is let in from main', async () => {
    const result = await runJob(jobScript(pipeline(), 'deploy'), PROJECT)

    assert.equal(result.exitCode, 0, result.output)
    assert.match(result.output, /^Authenticated as: \{"name":"users\/gitlab-deploy@/)
  })

  test('its deploy job fails with the answer in its log when it is refused', async () => {
    const result = await runJob(jobScript(pipeline(), 'deploy'), stranger)

    assert.equal(result.exitCode, 1)
    const [first, answer = '{}'] = result.output.split('\n')
    assert.equal(first, 'Failed to get access token')
    assert.ok(prose().includes(JSON.parse(answer).message), answer)
  })

  test('its review job has an access token on a merge request', async () => {
    const script = `${jobScript(pipeline(), 'review')}printf '%s' "$BYTEBASE_TOKEN" | cut -d. -f2`

    const result = await runJob(script, mergeRequest(PROJECT), jobValue(pipeline(), 'review', 'aud'))

    const claims = JSON.parse(Buffer.from(result.output, 'base64url').toString())
    assert.equal(claims.workload.pipeline_source, 'merge_request_event')
  })

  test('its review job fails with the answer in its log when it is refused', async () => {
    const result = await runJob(jobScript(pipeline(), 'review'), stranger)

    assert.equal(result.exitCode, 1)
    assert.match(result.output, /^No access token: \{"code":7,.*Condition project:/)
  })

  test('the short form leaves null, and the first call with it says what the page says', async () => {
    const call =
      'echo "$BYTEBASE_TOKEN"; curl -s "$BYTEBASE_URL/v1/users/me" -H "Authorization: Bearer $BYTEBASE_TOKEN"'

    const result = await runJob(`${blockWith('export BYTEBASE_TOKEN=')}${call}`, stranger)

    const [token, answer = '{}'] = result.output.split('\n')
    const { code, message } = JSON.parse(answer)
    assert.deepEqual({ token, code }, { token: 'null', code: 16 })
    assert.ok(prose().includes(message), message)
  })

  test('its scripts are those of the demo', () => {
    const demo = (name: string) => readFileSync(new URL(`../../demo/${name}`, import.meta.url), 'utf8')

    assert.equal(jobScript(pipeline(), 'deploy'), demo('deploy.sh'))
    assert.equal(blockWith('export BYTEBASE_TOKEN='), demo('review.sh'))
  })

  test('every body on the page makes an identity, and the one for production admits what it says', async () => {
    const bodies = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text))
    const path = '/v1/workspaces/default/workloadIdentities?workloadIdentityId=production'

    const created = await world.admin('POST', path, bodies[0])

    assert.equal(bodies.length, 1)
    assert.equal(created.status, 200, created.text)
    const production = { ...PROJECT, project_id: '20', environment: 'production' }
    const statusOf = async (claims: Claims) =>
      (await world.exchange(gitlabCom.signToken(gitlabClaims('18.4', claims)), created.json.email)).status
    assert.equal(await statusOf(production), 200)
    assert.equal(await statusOf({ ...production, ref: 'v1.2', ref_type: 'tag' }), 200)
    assert.equal(await statusOf({ ...production, project_id: '21' }), 403)
    assert.equal(await statusOf({ ...production, ref_protected: 'false' }), 403)
    assert.equal(await statusOf(PROJECT), 403)
  })

  test('every field that the form becomes is accepted as the page writes it', async () => {
    const page = readPage(PAGE)
    const refs = JSON.parse(/`rules\[\]\.refs`: `(.*?)`/.exec(page)?.[1] ?? '')
    const roles = JSON.parse(/`rules\[\]\.roles`: `(.*?)`/.exec(page)?.[1] ?? '')

    const email = await world.createIdentity([{ group: 'my-group/backend', refs, roles }], {
      config: { issuerUrl: gitlabCom.issuerUrl },
    })

    const identity = await world.admin('GET', `/v1/workloadIdentities/${email}`)
    const [rule] = identity.json.workloadIdentityConfig.rules
    assert.deepEqual(
      { mergeRequests: rule.mergeRequests, protectedRefsOnly: rule.protectedRefsOnly, refs: rule.refs },
      { mergeRequests: 'NONE', protectedRefsOnly: true, refs },
    )
  })

  test('its identity is made a member of a project as it says', async () => {
    await world.admin('POST', '/v1/projects?projectId=web', {})

    const set = await run(blockWith(':setIamPolicy'))

    const { bindings } = JSON.parse(set.output)
    assert.deepEqual(bindings, [
      { role: 'roles/gitopsServiceAgent', members: [`workloadIdentity:${EMAIL}#rule-1`] },
    ])
  })

  test('the rules are changed as it says, for the next exchange', async () => {
    const change = (from: string, to: string) =>
      run(blockWith('-X PATCH').replace('# … edit identity.json', `sed -i 's/${from}/${to}/' identity.json`))
    const statusOf = async (claims: Claims) =>
      (await world.exchange(gitlabCom.signToken(gitlabClaims('18.4', claims)), EMAIL)).status

    const changed = await change('my-project', 'other-project')
    const statuses = { other: await statusOf(stranger), former: await statusOf(PROJECT) }
    await change('other-project', 'my-project')

    assert.equal(JSON.parse(changed.output).workloadIdentityConfig.rules[0].id, 'rule-1', changed.output)
    assert.deepEqual(statuses, { other: 200, former: 403 })
    assert.equal(await statusOf(PROJECT), 200)
  })

  test('a change that somebody else made meanwhile is not overwritten', async () => {
    const meanwhile = `curl -sS -X PATCH "$IDENTITY" -H "Authorization: Bearer $ADMIN_TOKEN" \\
      -H "Content-Type: application/json" -d '{"title": "Theirs"}' > theirs.json`

    const stale = await run(blockWith('-X PATCH').replace('# … edit identity.json', meanwhile))

    assert.equal(JSON.parse(stale.output).code, 10, stale.output)
    const identity = await world.admin('GET', `/v1/workloadIdentities/${EMAIL}`)
    assert.equal(identity.json.title, 'Theirs')
  })

  test('creating an identity that is there is a 409 that says what the page says', async () => {
    const again = await run(`${blockWith('workloadIdentityId=gitlab-deploy')}`)

    const { code, message } = JSON.parse(again.output)
    assert.equal(code, 6)
    assert.match(message, /exists already/)
    assert.ok(prose().includes('A 409 with "exists already"'))
  })

  test('an issuer with static keys serves an air-gapped GitLab, which is never asked', async () => {
    const published = await fetch(`${selfHosted.issuerUrl}/oauth/discovery/keys`)
    writeFileSync(join(directory, 'keys.json'), await published.text())
    const asked = { ...selfHosted.requests }

    const registered = await run(blockWith('issuerId=our-gitlab'))
    const changed = await run(blockWith('our-gitlab?updateMask=jwks'))
    const shown = await run(blockWith('/v1/issuers/our-gitlab" -H'))

    assert.equal(JSON.parse(registered.output).name, 'issuers/our-gitlab', registered.output)
    const { etag, keys } = JSON.parse(shown.output)
    assert.equal(keys.keyIds.length, 1, shown.output)
    assert.equal(JSON.parse(changed.output).etag, etag, 'the change of keys is what is shown')
    assert.notEqual(JSON.parse(registered.output).etag, etag)
    const email = await world.createIdentity([{ group: 'my-group' }], {
      config: { issuerUrl: selfHosted.issuerUrl },
    })
    const answer = await world.exchange(selfHosted.signToken(gitlabClaims('18.4', PROJECT)), email)
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual({ ...selfHosted.requests }, asked)
  })

  test('the command for administrators lists refusals with the conditions that were not met', async () => {
    await runJob(jobScript(pipeline(), 'deploy'), stranger)

    const result = await run(`${blockWith('outcome=DENIED').trimEnd()} | jq -sc '.[0]'`)

    const { reason, unmet } = JSON.parse(result.output)
    assert.equal(reason, 'condition_not_met')
    assert.deepEqual(Object.keys(unmet[0]), ['project'])
  })

  test('and with the conditions and guardrails that were not met', async () => {
    const requiring = (kind: string, code: string) =>
      `package claimgate.${kind}\n\nrequired := {"${code}": "It must be."}\n\nmet contains "${code}" if input.claims.ref == "none"\n`
    const conditions = requiring('conditions', 'own')
    const email = await world.createIdentity([{ group: 'my-group' }], {
      config: { issuerUrl: gitlabCom.issuerUrl, conditions },
    })
    await world.admin('PUT', '/v1/guardrails', { source: requiring('guardrails', 'ours') })
    await world.exchange(gitlabCom.signToken(gitlabClaims('18.4', PROJECT)), email)
    await world.admin('PUT', '/v1/guardrails', { source: '' })

    const result = await run(`${blockWith('outcome=DENIED').trimEnd()} | jq -sc '.[0]'`)

    const { reason, unmet, conditions: own, guardrails } = JSON.parse(result.output)
    assert.deepEqual([reason, unmet], ['denied_by_conditions', [{}]])
    assert.deepEqual(own, [{ code: 'own', message: 'It must be.', met: false }])
    assert.deepEqual(guardrails, [{ code: 'ours', message: 'It must be.', met: false }])
  })

  test('the command that explains a token says what is to be mended, and uses nothing up', async () => {
    const script = `${blockWith('auth:explainToken')}\n${jobScript(pipeline(), 'deploy')}`

    const refused = await runJob(blockWith('auth:explainToken'), stranger)
    const allowed = await runJob(script, PROJECT)

    const { outcome, message, rules } = JSON.parse(refused.output)
    assert.equal(outcome, 'DENIED')
    assert.match(message, /expected 'my-group\/my-project'/)
    assert.deepEqual(Object.keys(rules[0].unmet), ['project'])
    assert.match(allowed.output, /"outcome": "ALLOWED"/)
    assert.match(allowed.output, /^Authenticated as: /m)
  })

  test('the command that shows claims shows neither the token nor who started the job', async () => {
    const result = await runJob(blockWith('@base64d'), PROJECT)

    const claims = JSON.parse(result.output)
    assert.equal(claims.project_path, 'my-group/my-project')
    assert.equal(claims.aud, gitlabCom.issuerUrl)
    assert.doesNotMatch(result.output, /eyJ|sample-user|jti/)
  })

  test('every reason of a refusal has its place in the table', () => {
    const sources = ['src/token/token-reason.ts', 'src/decision/decision.ts'].map((path) => readPage(path))
    const reasons = sources.flatMap((source) => {
      const [, union = ''] = /export type (?:Token)?Reason =(.*?)\n\n/s.exec(source) ?? []
      return [...union.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason)
    })
    const later = ['denied_by_conditions', 'denied_by_guardrails', 'allowed']

    const missing = reasons.filter(
      (reason) => !later.includes(reason) && !readPage(PAGE).includes(`\`${reason}\``),
    )

    assert.ok(reasons.length > 20)
    assert.deepEqual(missing, [])
  })
})
