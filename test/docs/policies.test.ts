import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { parse } from 'yaml'
import { gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { processEnv } from '../support/service-process.ts'
import { startWorld, type World } from '../support/world.ts'
import { codeBlocks } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const GUIDE = join(import.meta.dirname, '../../docs/policies.md')
const CAPABILITIES = join(import.meta.dirname, '../../policies/capabilities.json')
const EXAMPLES = join(import.meta.dirname, '../../docs/policies/examples')

type Outcome = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

/** Beside the service, which runs in this process. */
function run(args: readonly string[], more: Record<string, string> = {}): Promise<Outcome> {
  const env = { ...processEnv(), OPA_BIN: process.env.OPA_BIN, ...more }
  const child = spawn(process.execPath, [MAIN, ...args], { env })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => (out.stdout += text))
  child.stderr.on('data', (text) => (out.stderr += text))
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, ...out })))
}

type Job = {
  readonly before_script?: readonly string[]
  readonly script?: readonly string[]
  readonly variables?: Readonly<Record<string, string>>
  readonly allow_failure?: { readonly exit_codes: number }
}

/** The jobs of the guide's pipeline. */
function pipeline(): Readonly<Record<string, Job>> {
  const block = codeBlocks('docs/policies.md').find(({ text }) => text.includes('stages:'))
  return parse(block?.text ?? '', { merge: true })
}

test('the guide shows its first example and the guardrails as they are, and links each of them', () => {
  const guide = readFileSync(GUIDE, 'utf8')

  assert.ok(guide.includes(readFileSync(join(EXAMPLES, 'first-rule.yaml'), 'utf8')))
  assert.ok(guide.includes(readFileSync(join(EXAMPLES, 'guardrails.rego'), 'utf8')))
  for (const name of readdirSync(EXAMPLES)) assert.ok(guide.includes(`(policies/examples/${name})`), name)
})

test('every example is without a mistake, and its tests come out as they say', async () => {
  const checked = await run(['policy', 'check', EXAMPLES])
  const tested = await run(['policy', 'test', EXAMPLES])

  assert.equal(checked.status, 0, checked.stdout)
  assert.equal(tested.status, 0, tested.stdout)
  assert.match(tested.stdout, /^[1-9]\d* tests, 0 failed/m)
})

test('the functions that the guide says there are, or are not, are so', () => {
  const guide = readFileSync(GUIDE, 'utf8')
  const { builtins } = JSON.parse(readFileSync(CAPABILITIES, 'utf8')) as { builtins: { name: string }[] }
  const named = (opening: string) => {
    const [, text = ''] = new RegExp(`^- ${opening} (.*?)\\.\n[-\n]`, 'ms').exec(guide) ?? []
    return [...text.replaceAll(/\(.*?\)/gs, '').matchAll(/`([\w.]+)`/g)].map(([, name = '']) => name)
  }
  const isThere = (wanted: string) =>
    builtins.some(({ name }) => (wanted.endsWith('.') ? name.startsWith(wanted) : name === wanted))

  const [present, absent] = [named('There are'), named('There are no')]

  assert.ok(present.includes('startswith'), present.join())
  assert.ok(absent.includes('sprintf') && absent.includes('time.'), absent.join())
  assert.deepEqual(
    present.filter((name) => !isThere(name)),
    [],
  )
  assert.deepEqual(absent.filter(isThere), [])
})

test('a condition reads all that the guide says, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'conditions-'))
  cpSync(join(EXAMPLES, 'first-rule.yaml'), join(folder, 'x.yaml'))
  const check = (condition: string) => {
    const source = `package claimgate.conditions\n\nrequired := {"x": "X."}\n\nmet contains "x" if ${condition}\n`
    writeFileSync(join(folder, 'x.rego'), source)
    return run(['policy', 'check', folder])
  }

  const whole = await check(
    'concat(" ", [input.claims.user_login, input.identity.email, input.identity.project, input.provider]) == format_int(input.time, 10)',
  )
  const otherClaim = await check('input.claims.other == "x"')
  const other = await check('input.token == "x"')
  const clock = await check('time.now_ns() > 0')
  rmSync(folder, { recursive: true })

  assert.equal(whole.status, 0, whole.stdout)
  for (const { status } of [otherClaim, other, clock]) assert.equal(status, 1)
})

describe('the examples, planned and applied in a service', () => {
  let world: World
  let folder: string
  const service = (...args: readonly string[]) => [...args, '--url', world.app.url]
  const admin = () => ({ ADMIN_TOKEN: world.adminToken })

  before(async () => {
    world = await startWorld('embedded')
  })
  after(() => world?.close())
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'policies-'))
    cpSync(EXAMPLES, folder, { recursive: true })
    for (const name of readdirSync(folder).filter(
      (each) => each.endsWith('.yaml') && each !== 'guardrails.tests.yaml',
    ))
      edit(name, 'https://gitlab.com', world.gitlab.issuerUrl)
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function edit(name: string, from: string, to: string): void {
    const text = readFileSync(join(folder, name), 'utf8')
    assert.ok(text.includes(from))
    writeFileSync(join(folder, name), text.replaceAll(from, to))
  }
  function jobToken(claims: object): string {
    const project = { namespace_path: 'my-group', project_path: 'my-group/policies', project_id: '30' }
    return world.gitlab.signToken(gitlabClaims('18.4', { ...project, ...claims }))
  }
  async function signIn(id: string, claims: object): Promise<string> {
    const { json, text } = await world.exchange(jobToken(claims), `${id}@workload.example.com`)
    assert.ok(json.accessToken, text)
    return json.accessToken
  }

  test('by an administrator first, then by jobs: merge requests plan, main applies', async () => {
    const first = await run(service('apply', folder), admin())
    const again = await run(service('plan', folder, '--prune'), admin())
    edit('first-rule.yaml', 'title: GitLab Deploy', 'title: Deploy by GitLab')
    rmSync(join(folder, 'review.yaml'))
    const reviewer = { ACCESS_TOKEN: await signIn('policies-plan', mergeRequest()) }
    const planned = await run(service('plan', folder, '--prune'), reviewer)
    const forbidden = await run(service('apply', folder, '--prune'), reviewer)
    const applier = { ACCESS_TOKEN: await signIn('policies-apply', {}) }
    const applied = await run(service('apply', folder, '--prune'), applier)
    const done = await run(service('plan', folder, '--prune'), applier)

    assert.equal(first.status, 0, first.stderr)
    assert.deepEqual(
      [again.status, again.stdout],
      [0, '0 to create, 0 to change, 0 to delete, 6 unchanged.\n'],
    )
    assert.equal(planned.status, 1, planned.stderr)
    assert.equal(
      planned.stdout,
      '~ gitlab-deploy@workload.example.com\n    title: "GitLab Deploy" -> "Deploy by GitLab"\n' +
        '    6 findings as before: --json shows them\n\n' +
        '- review@workload.example.com\n' +
        '    impact on 0 decisions since 2026-10-25T12:00:00.000Z: nothing would come out otherwise\n\n' +
        '0 to create, 1 to change, 1 to delete, 4 unchanged.\n',
    )
    assert.equal(forbidden.status, 2)
    assert.match(forbidden.stderr, /permission claimgate\.workloadIdentities\.update/)
    assert.equal(applied.status, 0, applied.stderr)
    assert.equal(done.status, 0, done.stdout)
  })

  test('by the pipeline of the guide, word for word', { skip: CANNOT_RUN }, async () => {
    const jobs = pipeline()
    const directory = mkdtempSync(join(tmpdir(), 'pipeline-'))
    writeFileSync(join(directory, 'claimgate'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
      mode: 0o755,
    })
    cpSync(folder, join(directory, 'policies'), { recursive: true })
    const runJob = (job: string, claims: object) =>
      runShell(
        [...(jobs[job]?.before_script ?? []), ...(jobs[job]?.script ?? [])].join('\n'),
        {
          ...jobs[job]?.variables,
          PATH: `${directory}:${process.env.PATH}`,
          CLAIMGATE_URL: world.app.url,
          GITLAB_OIDC_TOKEN: jobToken(claims),
          ...(process.env.OPA_BIN && { OPA_BIN: process.env.OPA_BIN }),
        },
        directory,
      )
    await run(service('apply', folder), admin())
    writeFileSync(
      join(directory, 'policies/first-rule.yaml'),
      readFileSync(join(folder, 'first-rule.yaml'), 'utf8').replace('GitLab Deploy', 'From the pipeline'),
    )

    const planned = await runJob('plan', mergeRequest())
    const outside = await runJob('apply', mergeRequest())
    const applied = await runJob('apply', {})
    rmSync(directory, { recursive: true })

    assert.equal(planned.exitCode, jobs.plan?.allow_failure?.exit_codes, planned.output)
    assert.match(planned.output, /0 to create, 1 to change, 0 to delete/)
    assert.equal(outside.exitCode, 2, outside.output)
    assert.match(outside.output, /^No access token: .*merge_request/m)
    assert.equal(applied.exitCode, 0, applied.output)
    assert.match(applied.output, /Done\.$/m)
  })

  test('conditions are saved by the call of the guide, and let in at the hours that they say', async (t) => {
    if (CANNOT_RUN) return t.skip(CANNOT_RUN)
    const blocks = codeBlocks('docs/policies.md', { 'https://gitlab.com': world.gitlab.issuerUrl })
    const rego = blocks.find(({ text }) => text.includes('working_hours'))?.text ?? ''
    const call = blocks.find(({ text }) => text.includes('working-hours.rego'))?.text ?? ''
    writeFileSync(join(folder, 'working-hours.rego'), rego)
    const env = { CLAIMGATE_URL: world.app.url, ...admin() }
    const at = (time: string, expect: 'ALLOWED' | 'DENIED') => ({
      title: time,
      time,
      expect,
      claims: gitlabClaims('18.4', { namespace_path: 'my-group', project_path: 'my-group/my-project' }),
    })

    const saved = await runShell(call, env, folder)
    const { email, workloadIdentityConfig } = JSON.parse(saved.output)
    const tests = [
      at('2026-11-27T06:00:00Z', 'ALLOWED'), // a Friday
      at('2026-11-27T05:59:59Z', 'DENIED'),
      at('2026-11-27T17:59:59Z', 'ALLOWED'),
      at('2026-11-27T18:00:00Z', 'DENIED'),
      at('2026-11-28T12:00:00Z', 'DENIED'),
      at('2026-11-29T12:00:00Z', 'DENIED'),
      at('2026-11-30T12:00:00Z', 'ALLOWED'),
    ].map((each) => ({ ...each, claims: { ...each.claims, iss: undefined, aud: undefined } }))
    const tested = await world.admin('PATCH', `/v1/workloadIdentities/${email}`, { tests })
    await world.admin('DELETE', `/v1/workloadIdentities/${email}`)

    assert.equal(workloadIdentityConfig.conditions, rego)
    assert.equal(tested.status, 200, tested.text)
  })

  test('guardrails are shown as a diff, applied as they were planned, left alone where they have no file', async () => {
    const guardrails = async () => (await world.admin('GET', '/v1/guardrails')).json
    const versionsOf = async () => (await world.admin('GET', '/v1/guardrails/versions')).json.versions
    await run(service('apply', folder), admin())
    edit('guardrails.rego', 'get access tokens.', 'come in.')
    edit('guardrails.tests.yaml', 'title: a project of ours', 'title: ours')
    const file = join(folder, 'plan.json')
    const planned = await run(service('plan', folder, '--output', file), admin())
    const applied = await run(service('apply', '--plan', file, '--reason', 'Shorter.'), admin())
    const stale = await run(service('apply', '--plan', file), admin())
    const [version] = await versionsOf()
    const changed = await guardrails()
    rmSync(join(folder, 'guardrails.tests.yaml'))
    rmSync(join(folder, 'guardrails.rego'))
    const without = await run(service('apply', folder, '--prune'), admin())
    const left = await guardrails()
    writeFileSync(join(folder, 'guardrails.rego'), '')
    const emptied = await run(service('apply', folder), admin())

    assert.equal(planned.status, 1, planned.stderr)
    assert.match(planned.stdout, /^~ guardrails\n {4}--- a\/guardrails\.rego\n/)
    assert.match(planned.stdout, /\n {4}-required := .*get access tokens\..*\n {4}\+required := .*come in\./)
    assert.match(planned.stdout, /\n {4}tests\.ours\.title: "ours"\n/)
    assert.match(planned.stdout, /0 to change, 0 to delete, 6 unchanged; the guardrails change\.\n$/)
    assert.equal(applied.status, 0, applied.stderr)
    assert.equal(stale.status, 1)
    assert.match(stale.stderr, /planned for: guardrails\. Plan again/)
    assert.equal(version.reason, 'Shorter.')
    assert.match(changed.source, /come in\./)
    assert.equal(without.status, 0, without.stderr)
    assert.deepEqual(left, changed)
    assert.equal(emptied.status, 0, emptied.stderr)
    assert.match(emptied.stdout, /^- guardrails\n/)
    assert.equal((await guardrails()).source, '')
  })

  test('what is wrong with guardrails is told where their files say it, and nothing is changed', async () => {
    edit('guardrails.tests.yaml', 'reason: our_projects', 'reason: others')
    const failing = await run(service('plan', folder), admin())
    edit('guardrails.rego', '"my-group/")', '"my-group/"')
    const broken = await run(service('plan', folder), admin())
    for (const name of readdirSync(folder).filter((each) => !each.startsWith('guardrails')))
      rmSync(join(folder, name))
    const pruned = await run(service('apply', folder, '--prune'), admin())

    assert.equal(failing.status, 2)
    assert.match(
      failing.stderr,
      /guardrails\.tests\.yaml:11:5: tests\[2\]: Test 'a group that begins like ours'/,
    )
    assert.equal(broken.status, 2)
    assert.match(broken.stderr, /guardrails\.rego:8:1: rego_parse_error: /)
    assert.equal(pruned.status, 2)
    assert.match(pruned.stderr, /--prune would delete all identities/)
  })

  test('a plan that was written is applied as it is, and refused once its base is another', async () => {
    await run(service('apply', folder), admin())
    edit('first-rule.yaml', 'title: GitLab Deploy', 'title: Again')
    const file = join(folder, 'plan.json')
    await run(service('plan', folder, '--output', file), admin())
    edit('first-rule.yaml', 'title: Again', 'title: Not planned')

    const applied = await run(service('apply', '--plan', file), admin())
    const stale = await run(service('apply', '--plan', file), admin())
    const elsewhere = await run(['apply', '--plan', file, '--url', 'https://other.example.com'], admin())

    assert.equal(applied.status, 0, applied.stderr)
    assert.equal(
      (await world.admin('GET', '/v1/workloadIdentities/gitlab-deploy@workload.example.com')).json.title,
      'Again',
    )
    assert.equal(stale.status, 1)
    assert.match(stale.stderr, /gitlab-deploy@workload\.example\.com\. Plan again/)
    assert.equal(elsewhere.status, 2)
    assert.match(elsewhere.stderr, /was made for/)
  })

  test('what only the service knows is told where the file says it, and nothing is changed', async () => {
    edit('first-rule.yaml', 'id: gitlab-deploy', 'id: gitlab-deploy\nproject: none')
    edit('review.yaml', 'id: review', 'email: review@other.example.com')

    const planned = await run(service('plan', folder), admin())

    assert.equal(planned.status, 2)
    assert.match(planned.stderr, /first-rule\.yaml:\d+:\d+: There is no such project\.\n/)
    assert.match(planned.stderr, /review\.yaml:\d+:\d+: The email must end with @workload\.example\.com/)
  })

  test('without a token, or without a service, it says what is missing and ends with 2', async () => {
    for (const [args, env, told] of [
      [service('plan', folder), {}, /A token is needed/],
      [service('plan', folder), { ACCESS_TOKEN: 'null' }, /A token is needed/],
      [
        service('plan', folder),
        { ACCESS_TOKEN: 'x'.repeat(40) },
        /neither an admin token that is good now nor/,
      ],
      [['plan', folder], admin(), /--url URL is needed/],
      [['plan', folder, '--url', 'http://127.0.0.1:9'], admin(), /does not answer/],
      [service('apply'), admin(), /Give a FOLDER, or --plan FILE/],
    ] as const) {
      const { status, stderr } = await run(args, env)

      assert.equal(status, 2, String(args))
      assert.match(stderr, told)
    }
  })
})
