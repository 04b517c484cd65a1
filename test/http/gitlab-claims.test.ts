import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { verdictOf } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'
import { assertComesTo, outcomeOf } from './claims-outcome.ts'
import { ROWS, RULES } from './gitlab-claims-rows.ts'

for (const kind of ONE_DATABASE) {
  describe(`what GitLab's claims come to on ${kind}`, () => {
    let world: World
    const emails = new Map<string, string>()

    before(async () => {
      world = await startWorld(kind)
      // One after the other: at once, the last would wait for so many compilations that its answer comes too late.
      for (const [name, { rule }] of Object.entries(RULES))
        emails.set(name, await world.createIdentity([{ id: 'the-rule', ...rule }]))
    })
    after(() => world?.close())

    for (const [name, claims, expected, { rule = 'app', version = '18.4', says } = {}] of ROWS) {
      test(`${name}${rule === 'app' ? '' : ` (rule: ${rule})`}: ${outcomeOf(expected)}`, async () => {
        const email = emails.get(rule) ?? ''

        const answer = await world.exchange(world.gitlab.signToken(gitlabClaims(version, claims)), email)

        assertComesTo(expected, answer, await world.lastDecision(email))
        if (says !== undefined) assert.match(answer.json.message, says)
        const next = await world.exchange(
          world.gitlab.signToken(gitlabClaims('18.4', RULES[rule].good)),
          email,
        )
        assert.equal(next.status, 200, next.text)
      })
    }

    test('every condition is always present, and those of the ids and claims where the rule has them', async () => {
      const always = ['fork', 'group', 'merge_request', 'pipeline_source', 'project', 'protected_ref', 'ref']
      const codesOf = async (rule: keyof typeof RULES) => {
        await world.exchange(
          world.gitlab.signToken(gitlabClaims('18.4', RULES[rule].good)),
          emails.get(rule) ?? '',
        )
        const decision = await world.lastDecision(emails.get(rule) ?? '')
        return Object.keys(verdictOf(decision).rules[0]?.conditions ?? {}).sort()
      }

      assert.deepEqual(await codesOf('app'), always)
      assert.deepEqual(await codesOf('pinned project'), [...always, 'project_id'].sort())
      assert.deepEqual(await codesOf('pinned namespace'), [...always, 'namespace_id'].sort())
      assert.deepEqual(await codesOf('environment'), ['claim:environment', ...always])
    })
  })
}
