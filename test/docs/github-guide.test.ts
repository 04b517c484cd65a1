import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { type Github, startGithub } from '../support/github.ts'
import { closedPullRequest, githubClaims } from '../support/github-claims.ts'
import type { Claims } from '../support/gitlab-claims.ts'
import { createTestClock, startWorld, type World } from '../support/world.ts'
import { codeBlocks, readPage, stepScript } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const PAGE = 'docs/github.md'
const REPOSITORY = { repository: 'my-org/my-repository' }
const STRANGER = { repository: 'my-org/other' }
const EMAIL = 'github-deploy@workload.example.com'

describe('the guide for GitHub users', { skip: CANNOT_RUN }, () => {
  let githubCom: Github
  let enterprise: Github
  let world: World
  let directory: string
  let blocks: ReturnType<typeof codeBlocks>
  let created: {
    readonly email: string
    readonly notices: readonly string[]
    readonly findings: readonly { readonly code: string }[]
  }

  before(async () => {
    githubCom = await startGithub({ clock: createTestClock() })
    enterprise = await startGithub({ clock: createTestClock(), path: '/_services/token', firstKey: 30 })
    world = await startWorld('embedded', {
      PRIVATE_ISSUERS: `${githubCom.issuerUrl},${enterprise.issuerUrl}`,
    })
    directory = mkdtempSync(join(tmpdir(), 'claimgate-guide-'))
    blocks = codeBlocks(PAGE, {
      [PROVIDERS.GITHUB.issuerUrl]: githubCom.issuerUrl,
      'https://github.example.com/_services/token': enterprise.issuerUrl,
    })
    created = JSON.parse((await run(blockWith('workloadIdentityId=github-deploy'))).output)
  })

  after(async () => {
    await world.close()
    await githubCom.close()
    await enterprise.close()
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

  /** Runs the step that asks for a token as GitHub would in a job with these claims; returns its output's value too. */
  async function getAccessToken(claims: Claims, more: Readonly<Record<string, string>> = {}) {
    const outputs = join(directory, 'outputs')
    writeFileSync(outputs, '')
    const result = await run(stepScript(workflow(), 'Get an access token'), {
      ...githubCom.startJob(githubClaims(claims)),
      WORKLOAD_IDENTITY_EMAIL: EMAIL,
      GITHUB_OUTPUT: outputs,
      ...more,
    })
    return { ...result, token: /^token=(.*)$/m.exec(readFileSync(outputs, 'utf8'))?.[1] }
  }

  const workflow = () => blockWith('id-token: write', 'yaml')
  /** The page as running text, to find sentences in it that it breaks into lines. */
  const prose = () => readPage(PAGE).replaceAll(/\s+(> )?/g, ' ')

  test('its first identity is made, and says what a workflow has to ask for', () => {
    assert.equal(created.email, EMAIL)
    assert.ok(created.notices.some((notice) => notice.includes('core.getIDToken')))
    assert.ok(created.notices.some((notice) => notice.includes('is now registered as issuers/')))
  })

  test('and what it lets in, each finding of which the page names', () => {
    const [, told = ''] = prose().split('`findings` says whom')
    const named = [...(told.split('They refuse nothing')[0] ?? '').matchAll(/`(\w+)`/g)].map(
      ([, code]) => code,
    )

    assert.deepEqual(
      created.findings.map(({ code }) => code),
      named,
    )
  })

  test('its workflow is let in from main, and the next step has the access token', async () => {
    const access = await getAccessToken(REPOSITORY)
    const deploy = await run(stepScript(workflow(), 'Deploy'), { BYTEBASE_TOKEN: access.token ?? '' })

    assert.equal(access.exitCode, 0, access.output)
    assert.equal(access.output, `::add-mask::${access.token}\n`)
    assert.match(deploy.output, /^Authenticated as: \{"name":"users\/github-deploy@/)
  })

  test('its workflow fails with the answer in its log when it is refused', async () => {
    const { output, exitCode, token } = await getAccessToken(STRANGER)

    assert.equal(exitCode, 1)
    assert.equal(token, undefined)
    const { code, message } = JSON.parse(output.replace('No access token: ', ''))
    assert.equal(code, 7)
    assert.ok(prose().includes(message), message)
  })

  test('a job that may not ask for a token is told what the page says', async () => {
    const nothing = { ACTIONS_ID_TOKEN_REQUEST_URL: '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: '' }

    const { output, exitCode } = await getAccessToken(REPOSITORY, nothing)

    assert.equal(exitCode, 1)
    assert.match(output, /No access token: \{"code":3,"message":"token is required/)
    assert.ok(prose().includes('400 `token is required`'))
  })

  test('what it says is never admitted never is, and is what a rule cannot list', async () => {
    const [, section = ''] = readPage(PAGE).split(/\n## [34]\. /)
    const rows = section.split('\n').filter((line) => /^\| `/.test(line))
    const events = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )

    assert.deepEqual(events.sort(), Object.keys(PROVIDERS.GITHUB.sources.refused).sort())
    for (const event_name of events) {
      const { exitCode, output } = await getAccessToken(closedPullRequest({ ...REPOSITORY, event_name }))
      assert.equal(exitCode, 1)
      assert.match(output, /Condition merge_request: .*Condition fork: /)
    }
  })

  test('every body on the page makes an identity, and the one for production admits what it says', async () => {
    const bodies = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text))
    const path = '/v1/workspaces/default/workloadIdentities?workloadIdentityId=production'

    const identity = await world.admin('POST', path, bodies[0])

    assert.equal(bodies.length, 1)
    assert.equal(identity.status, 200, identity.text)
    const statusOf = async (claims: Claims) => {
      const token = { aud: githubCom.issuerUrl, ...githubClaims({ ...REPOSITORY, ...claims }) }
      return (await world.exchange(githubCom.signToken(token), identity.json.email)).status
    }
    const production = { environment: 'production' }
    assert.equal(await statusOf(production), 200)
    assert.equal(await statusOf({ ...production, ref: 'refs/tags/v1.2' }), 200)
    assert.equal(await statusOf({ ...production, repository_id: '21' }), 403)
    assert.equal(await statusOf({ ...production, repository_owner_id: '73' }), 403)
    assert.equal(await statusOf({ ...production, ref_protected: 'false' }), 403)
    assert.equal(await statusOf({}), 403)
  })

  test('the claims that it writes into a rule are accepted', async () => {
    const claims = JSON.parse(/`"claims": (\{.*?\})`/s.exec(readPage(PAGE))?.[1] ?? '')
    const [job_workflow_ref] = claims.job_workflow_ref

    const email = await world.createIdentity([{ group: 'my-org', claims }], {
      config: { providerType: 'GITHUB', issuerUrl: githubCom.issuerUrl },
    })

    const token = { aud: githubCom.issuerUrl, ...githubClaims({ ...REPOSITORY, job_workflow_ref }) }
    assert.equal((await world.exchange(githubCom.signToken(token), email)).status, 200)
  })

  test('an issuer with static keys serves an enterprise server, which is never asked', async () => {
    const published = await fetch(`${enterprise.issuerUrl}/.well-known/jwks`)
    writeFileSync(join(directory, 'keys.json'), await published.text())
    const asked = { ...enterprise.requests }

    const registered = await run(blockWith('issuerId=our-github'))

    assert.equal(JSON.parse(registered.output).name, 'issuers/our-github', registered.output)
    const email = await world.createIdentity([{ group: 'my-org' }], {
      config: { providerType: 'GITHUB', issuerUrl: enterprise.issuerUrl },
    })
    const token = { aud: enterprise.issuerUrl, ...githubClaims(REPOSITORY) }
    const answer = await world.exchange(enterprise.signToken(token), email)
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual({ ...enterprise.requests }, asked)
  })

  test('an enterprise server is asked for its keys where it publishes them', async () => {
    const second = await startGithub({ clock: createTestClock(), path: '/_services/token', firstKey: 40 })
    const other = await startWorld('embedded', { PRIVATE_ISSUERS: second.issuerUrl })
    try {
      const config = { providerType: 'GITHUB', issuerUrl: second.issuerUrl }
      const email = await other.createIdentity([{ group: 'my-org' }], { config })

      const token = { aud: second.issuerUrl, ...githubClaims(REPOSITORY) }
      const answer = await other.exchange(second.signToken(token), email)

      assert.equal(answer.status, 200, answer.text)
    } finally {
      await other.close()
      await second.close()
    }
  })

  test('the command that shows claims shows neither the token nor who started the job', async () => {
    const ID_TOKEN = githubCom.signToken(githubClaims(REPOSITORY))

    const result = await run(blockWith('@base64d'), { ID_TOKEN })

    const claims = JSON.parse(result.output)
    assert.equal(claims.repository, 'my-org/my-repository')
    assert.equal(claims.aud, 'https://github.com/my-org')
    assert.doesNotMatch(result.output, /eyJ|sample-user|jti/)
  })

  test('every condition has its place in the table', () => {
    const missing = ['group', 'project', 'ref', 'protected_ref', 'merge_request', 'fork', 'pipeline_source']
      .concat('project_id', 'namespace_id')
      .filter((code) => !readPage(PAGE).includes(`\`${code}\``))

    assert.deepEqual(missing, [])
  })
})
