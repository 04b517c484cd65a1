import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { GuardrailsTest } from '../../src/policy/test-guardrails.ts'
import { gitlabClaims, mergeRequest } from '../support/gitlab-claims.ts'
import { startWorld, type World } from '../support/world.ts'

const FOLDER = new URL('../../policies/guardrails/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, FOLDER), 'utf8')
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.rego'))
  .map((name) => name.replace('.rego', ''))
const testsOf = (name: string): readonly GuardrailsTest[] => JSON.parse(read(`${name}_tests.json`))

describe('the guardrails that come with claimgate', () => {
  let world: World

  before(async () => {
    world = await startWorld('embedded')
  })
  after(() => world?.close())

  const put = (source: string, tests: readonly object[]) =>
    world.admin('PUT', '/v1/guardrails', { source, tests })

  test('are five', () => {
    assert.deepEqual(NAMES, [
      'hosted_runners_only',
      'ids_pinned',
      'no_merge_requests',
      'own_audience_only',
      'protected_refs_only',
    ])
  })

  for (const name of NAMES) {
    test(`${name} is saved as it stands in its file, with its tests`, async () => {
      const source = read(`${name}.rego`)
      const tests = testsOf(name)

      const saved = await put(source, tests)

      assert.equal(saved.status, 200, saved.text)
      assert.equal(saved.json.source, source)
      assert.deepEqual(saved.json.tests, tests)
      assert.ok(tests.some(({ expect }) => expect === 'ALLOWED'))
    })

    test(`${name} has tests that notice when it demands nothing`, async () => {
      const [, code = ''] = /required := \{"(\w+)"/.exec(read(`${name}.rego`)) ?? []
      const open = `${read(`${name}.rego`)}\nmet contains "${code}" if input.time >= 0\n`

      const refused = await put(open, testsOf(name))

      assert.equal(refused.status, 400)
      const denials = testsOf(name).filter(({ expect }) => expect === 'DENIED')
      assert.deepEqual(
        refused.json.details[0].tests.map(({ title }: { title: string }) => title),
        denials.map(({ title }) => title),
      )
    })
  }

  test('go into one file as their page says', async () => {
    const tests = NAMES.flatMap(testsOf)

    const saved = await put(combined(), tests)

    assert.equal(saved.status, 200, saved.text)
  })

  test('go into one file as the example on their page has it', async () => {
    const [, example = ''] = /```rego\n([\s\S]*?)```/.exec(read('README.md')) ?? []

    const saved = await put(example, [...testsOf('protected_refs_only'), ...testsOf('hosted_runners_only')])

    assert.equal(saved.status, 200, saved.text)
  })

  test('let in a job that GitLab made, and not the merge request beside it', async () => {
    const issuer = world.gitlab.issuerUrl
    const source = combined().replace('"https://claimgate.example.com"', `"${issuer}"`)
    assert.equal((await put(source, [])).status, 200)
    const email = await world.createIdentity([{ group: 'acme' }])

    const push = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
    const request = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4', mergeRequest())), email)

    assert.equal(push.status, 200, push.text)
    assert.equal(request.status, 403)
    assert.equal(request.json.details[0].reason, 'denied_by_guardrails')
    const unmet = request.json.details[0].guardrails.filter(({ met }: { met: boolean }) => !met)
    assert.deepEqual(
      unmet.map(({ code }: { code: string }) => code),
      ['no_merge_requests', 'protected_ref'],
    )
  })
})

/** One package, one `required` with each one's line, and the rest of each file. */
function combined(): string {
  const files = NAMES.map((name) => read(`${name}.rego`))
  const lines = files.map((text) => /^required := \{(.*)\}$/m.exec(text)?.[1])
  const rests = files.map((text) =>
    text.slice(text.indexOf('package')).replace(/^(package .*|required := .*)$/gm, ''),
  )
  return `package claimgate.guardrails\n\nrequired := {\n${lines.join(',\n')},\n}\n${rests.join('\n')}`
}
