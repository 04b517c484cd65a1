import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { freePort } from '../support/postgres.ts'
import { startWorld, type World } from '../support/world.ts'
import { codeBlocks } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const ROOT = join(import.meta.dirname, '../..')

describe('the page on OAuth, and the kill switches', { skip: CANNOT_RUN }, () => {
  let world: World
  let email: string
  let url: string

  before(async () => {
    const port = await freePort()
    url = `http://localhost:${port}`
    world = await startWorld('embedded', { PORT: String(port), PUBLIC_URL: url })
    email = await world.createIdentity([{ id: 'deploy', group: 'acme', roles: ['roles/auditor'] }])
  })
  after(() => world?.close())

  const jobToken = () => world.gitlab.signToken(gitlabClaims('18.4'))
  const signIn = async (): Promise<string> => (await world.exchange(jobToken(), email)).json.accessToken
  const settings = () => ({ BYTEBASE_URL: url, ADMIN_TOKEN: world.adminToken })

  /** Runs the commands of a page that have this in them; gives the JSON that they print. */
  async function run(page: string, part: string, env: Record<string, string>) {
    const text = codeBlocks(page).find((each) => each.language === 'sh' && each.text.includes(part))?.text
    assert.ok(text, `${page} has no commands with ${part}`)
    const { output, exitCode } = await runShell(`{ ${text} } | jq -sc .`, { ...settings(), ...env })
    assert.equal(exitCode, 0, output)
    return JSON.parse(output)
  }

  test('the metadata is where it says', async () => {
    const [oauth, openId] = await run('docs/oauth.md', '.well-known', {})

    assert.deepEqual([oauth.issuer, openId.issuer], [url, url])
  })

  test('a token is traded, asked about and ended by the commands', async () => {
    const traded = await run('docs/oauth.md', '/oauth2/token', {
      WORKLOAD_IDENTITY: email,
      GITLAB_OIDC_TOKEN: jobToken(),
    })
    const token = { ACCESS_TOKEN: traded[0].access_token }

    const [before] = await run('docs/oauth.md', '/oauth2/introspect', token)
    const [ended] = await run('docs/oauth.md', '/oauth2/revoke', token)
    const [after] = await run('docs/oauth.md', '/oauth2/introspect', token)

    assert.deepEqual(Object.keys(traded[0]), [
      'access_token',
      'issued_token_type',
      'token_type',
      'expires_in',
    ])
    assert.equal(before.sub, email)
    assert.deepEqual([ended, after], [{}, { active: false }])
  })

  test('the lines for Node get a token', async () => {
    const source = codeBlocks('docs/oauth.md').find(({ language }) => language === 'js')?.text ?? ''
    // A real service has TLS in front of it.
    const lines = source.replace(
      'client.None())',
      'client.None(), { execute: [client.allowInsecureRequests] })',
    )
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', `${lines}\nconsole.log(access_token)`],
      {
        cwd: ROOT,
        env: { BYTEBASE_URL: url, WORKLOAD_IDENTITY: email, GITLAB_OIDC_TOKEN: jobToken() },
      },
    )

    const me = await world.request('GET', '/v1/users/me', {
      headers: { authorization: `Bearer ${stdout.trim()}` },
    })
    assert.equal(me.json.email, email)
  })

  test('all tokens of an identity are counted and ended by the commands', async () => {
    await world.admin('POST', `/v1/workloadIdentities/${email}:revokeTokens`)
    await signIn()
    await signIn()
    const [issuer] = (await world.admin('GET', '/v1/issuers')).json.issuers

    const [ofIdentity, ofIssuer, ended] = await run('docs/operate.md', ':revokeTokens', {
      IDENTITY: email,
      ISSUER: issuer.name.slice('issuers/'.length),
    })

    assert.deepEqual([ofIdentity.unexpiredTokens, ofIssuer.unexpiredTokens, ended.revokedTokens], [2, 2, 2])
  })
})
