import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadPolicy } from '@open-policy-agent/opa-wasm'
import { assertProblem, verdictOf } from '../support/answers.ts'
import {
  type Claims,
  childPipeline,
  forkMergeRequest,
  gitlabClaims,
  mergeRequest,
  tag,
} from '../support/gitlab-claims.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const OPA = process.env.OPA_BIN ?? fileURLToPath(new URL('../../.tools/opa', import.meta.url))

const HOSTILE_TITLE = `a"} allow := true # \${x} {{y}} $"{z}" %s <script> 'q' \`b\``
const RULES = [
  {
    id: 'one',
    title: HOSTILE_TITLE,
    group: 'acme',
    project: 'app',
    refs: [
      { type: 'BRANCH', pattern: 'main' },
      { type: 'TAG', pattern: 'v*.*' },
      { type: 'BRANCH', pattern: 'a/**' },
    ],
    claims: { environment: [HOSTILE_TITLE, 'production'] },
    roles: ['roles/auditor'],
  },
  { id: 'two', group: 'acme/sub', ids: { projectIds: ['20'] }, roles: ['roles/gitopsServiceAgent'] },
  { id: 'three', group: 'acme', disabled: true },
]

const TOKENS: readonly Claims[] = [
  { environment: 'production' },
  { environment: HOSTILE_TITLE },
  { environment: ['production'] },
  {},
  tag('v1.2', { environment: 'production' }),
  { ref: 'a/b/c', environment: 'production' },
  { project_path: 'acme/sub/x' },
  { project_path: 'acme/sub/x', project_id: '21' },
  { project_path: 'ACME/Sub/x', environment: 'production' },
  mergeRequest({ project_path: 'acme/sub/x' }),
  childPipeline(mergeRequest({ project_path: 'acme/sub/x' })),
  forkMergeRequest('acme/sub/x'),
  { project_path: 'evil/x' },
  { namespace_path: null },
  { ref: 7, ref_path: undefined, pipeline_source: [] },
]

for (const kind of ONE_DATABASE) {
  describe(`the policy of an identity on ${kind}`, () => {
    let world: World
    let email: string
    let directory: string

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'claimgate-policy-'))
      world = await startWorld(kind)
      email = await world.createIdentity(RULES)
    })
    after(async () => {
      rmSync(directory, { recursive: true, force: true })
      await world?.close()
    })

    const policyOf = async (of: string) =>
      (await world.admin('GET', `/v1/workloadIdentities/${of}/policy`)).json

    test('it is answered with everything that a rebuild needs', async () => {
      const policy = await policyOf(email)
      const identity = (await world.admin('GET', `/v1/workloadIdentities/${email}`)).json

      assert.deepEqual(Object.keys(policy), ['digest', 'compiler', 'entrypoint', 'modules', 'compileTime'])
      assert.equal(policy.digest, identity.policyDigest)
      assert.match(policy.compiler, /1\.22\.2/)
      assert.equal(policy.compileTime, new Date(world.clock()).toISOString())
      const rules = policy.modules.find(({ path }: { path: string }) => path === 'rules.rego')
      const [, literal = ''] = /^package claimgate\s+rules := ([\s\S]*)$/.exec(rules.source) ?? []
      assert.deepEqual(
        JSON.parse(literal).map(({ id, title }: { id: string; title: string }) => [id, title]),
        [
          ['one', HOSTILE_TITLE],
          ['two', ''],
        ],
        'the rules are one JSON literal, disabled ones left out',
      )
    })

    test('rebuilt by stock opa it gives every recorded verdict again', async () => {
      for (const claims of TOKENS)
        await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', claims)), email)
      const policy = await policyOf(email)

      const rebuilt = await loadRebuilt(policy)

      const decisions = await world.decisions(email)
      assert.equal(decisions.length, TOKENS.length)
      for (const decision of decisions) {
        const { guardrails, ...recorded } = verdictOf(decision) as ReturnType<typeof verdictOf> & {
          guardrails: unknown
        }
        const input = {
          claims: decision.claims,
          time: Math.floor(Date.parse(String(decision.decideTime)) / 1000),
          identity: { email, project: '' },
          provider: 'GITLAB',
        }
        const results = rebuilt.evaluate(input, policy.entrypoint)

        assert.deepEqual(guardrails, [])
        assert.equal(decision.policyDigest, policy.digest)
        assert.deepEqual(results, [{ result: recorded }])
        assert.equal(decision.outcome, recorded.allow ? 'ALLOWED' : 'DENIED')
      }
      assert.ok(decisions.some(({ outcome }) => outcome === 'ALLOWED'))
    })

    test('opa finds nothing to complain of in it', async () => {
      writeModules(await policyOf(email), join(directory, 'checked'))

      execFileSync(OPA, ['check', '--strict', join(directory, 'checked')])
    })

    test('identities with equal rules share a policy, and with other rules have another', async () => {
      const same = await world.createIdentity(RULES)
      const other = await world.createIdentity(RULES.slice(0, 1))

      assert.equal((await policyOf(same)).digest, (await policyOf(email)).digest)
      assert.notEqual((await policyOf(other)).digest, (await policyOf(email)).digest)
    })

    test('who is no identity has no policy', async () => {
      const answer = await world.admin('GET', `/v1/workloadIdentities/nobody@${IDENTITY_DOMAIN}/policy`)

      assertProblem(answer, 404, 5, /./)
    })

    type Policy = {
      readonly entrypoint: string
      readonly modules: readonly { readonly path: string; readonly source: string }[]
    }

    function writeModules({ modules }: Policy, to: string): void {
      for (const { path, source } of modules) {
        mkdirSync(dirname(join(to, path)), { recursive: true })
        writeFileSync(join(to, path), source)
      }
    }

    async function loadRebuilt(policy: Policy) {
      const sources = join(directory, 'rebuilt')
      writeModules(policy, sources)
      const bundle = join(directory, 'bundle.tar.gz')
      execFileSync(OPA, ['build', '-t', 'wasm', '-e', policy.entrypoint, '-o', bundle, sources])
      execFileSync('tar', ['-xzf', bundle, '-C', directory, '/policy.wasm', '/data.json'])
      assert.deepEqual(
        JSON.parse(readFileSync(join(directory, 'data.json'), 'utf8')),
        {},
        'no rule is handed in as data',
      )
      return loadPolicy(readFileSync(join(directory, 'policy.wasm')))
    }
  })
}
