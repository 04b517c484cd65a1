import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createFailingTestsSearch } from '../../src/app/search-failing-tests.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { IDENTITY_DOMAIN, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'ci', group: 'acme', project: 'app', roles: ['roles/gitopsServiceAgent'] }
const CLAIMS = gitlabClaims('18.4')
const OWN_RUNNER = { ...CLAIMS, runner_environment: 'self-hosted' }
const HOSTED = requiring('hosted', 'input.claims.runner_environment == "gitlab-hosted"')
const ANY = requiring('any', 'input.claims.runner_environment in {"gitlab-hosted", "self-hosted"}')
const ENDLESS = `package claimgate.guardrails

required := {"ends": "It must end."}

met contains "ends" if input.claims.runner_environment == "gitlab-hosted"

met contains "ends" if {
	input.claims.runner_environment == "self-hosted"
	r := numbers.range(1, 4000)
	count([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0
}
`
const GOOD = { title: 'A runner of GitLab', claims: CLAIMS, expect: 'ALLOWED' }
const OWN = { title: 'Our own runner', claims: OWN_RUNNER, expect: 'ALLOWED' }
const NOT_OWN = {
  title: 'None of our own',
  claims: OWN_RUNNER,
  expect: 'DENIED',
  reason: 'denied_by_guardrails',
}
const STRANGER = {
  title: 'A stranger',
  claims: { ...OWN_RUNNER, namespace_path: 'mallory' },
  expect: 'DENIED',
}

function requiring(code: string, condition: string): string {
  return `package claimgate.guardrails\n\nrequired := {"${code}": "It must be."}\n\nmet contains "${code}" if ${condition}\n`
}

for (const kind of ONE_DATABASE) {
  describe(`identities' tests when guardrails change, on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    const put = async (source: string) => {
      const answer = await world.admin('PUT', '/v1/guardrails', { source })
      assert.equal(answer.status, 200, answer.text)
      return answer.json
    }
    const emailOf = (id: string) => `${id}@${IDENTITY_DOMAIN}`
    /** These identities and no others, each with its tests, saved beside these guardrails. */
    const begin = async (source: string, tested: Record<string, readonly object[]>) => {
      await put(source)
      const list = await world.admin('GET', '/v1/workspaces/default/workloadIdentities?pageSize=1000')
      for (const { email } of list.json.workloadIdentities)
        await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
      for (const [id, tests] of Object.entries(tested))
        await world.createIdentity([RULE], { id, identity: { tests } })
    }
    type Failing = { identities: { email: string; tests: { title: string; message: string }[] }[] }
    const titles = ({ identities }: Failing) =>
      Object.fromEntries(identities.map(({ email, tests }) => [email, tests.map(({ title }) => title)]))

    test('a save tells which of them fail now, and why, and is a save all the same', async () => {
      await begin('', { one: [GOOD, OWN, STRANGER], two: [OWN], other: [GOOD, STRANGER], none: [] })

      const saved = await put(HOSTED)

      const { failingTests } = saved
      assert.deepEqual([failingTests.looked, failingTests.count, failingTests.isComplete], [3, 2, true])
      assert.deepEqual(titles(failingTests), {
        [emailOf('one')]: ['Our own runner'],
        [emailOf('two')]: ['Our own runner'],
      })
      assert.match(
        failingTests.identities[0].tests[0].message,
        /^Test 'Our own runner' expects ALLOWED, but an exchange would be DENIED \(denied_by_guardrails\): guardrail 'hosted' is not met\.$/,
      )
      assert.equal((await world.admin('GET', '/v1/guardrails')).json.source, HOSTED)
      const again = await put(`${HOSTED}\n# The same.\n`)
      assert.equal(Object.hasOwn(again, 'failingTests'), false)
    })

    test('those that want the guardrails to deny fail where they no longer do, also by their removal', async () => {
      await begin(HOSTED, { one: [NOT_OWN, STRANGER, GOOD] })

      const loosened = await put(ANY)
      const back = await put(HOSTED)
      const removed = await put('')

      assert.deepEqual(titles(loosened.failingTests), { [emailOf('one')]: ['None of our own'] })
      assert.equal(Object.hasOwn(back, 'failingTests'), false)
      assert.deepEqual(titles(removed.failingTests), { [emailOf('one')]: ['None of our own'] })
    })

    test('one on which the guardrails fail fails', async () => {
      await begin('', { one: [GOOD, OWN], two: [GOOD] })

      const { failingTests } = await put(ENDLESS)

      assert.deepEqual(titles(failingTests), { [emailOf('one')]: ['Our own runner'] })
      assert.match(failingTests.identities[0].tests[0].message, /would be FAILED \(policy_timeout\)/)
    })

    test('a roll-back, a draft with its impact, and its activation tell it too', async () => {
      await begin('', { one: [OWN], two: [OWN] })
      await put(HOSTED)
      await put('')
      const versions = (await world.admin('GET', '/v1/guardrails/versions')).json.versions
      const hosted = versions[1].version

      const rolledBack = await world.admin('POST', `/v1/guardrails/versions/${hosted}:rollback`)
      await put('')
      await world.admin('PUT', '/v1/guardrails/draft', { source: HOSTED })
      const impact = await world.admin('POST', '/v1/guardrails/draft:impact')
      const ofOne = await world.admin('POST', `/v1/guardrails/draft:impact?identity=${emailOf('two')}`)
      const activated = await world.admin('POST', '/v1/guardrails/draft:activate', { impact: ofOne.json.id })

      const both = { [emailOf('one')]: ['Our own runner'], [emailOf('two')]: ['Our own runner'] }
      for (const { json } of [rolledBack, impact, activated])
        assert.deepEqual(titles(json.failingTests), both)
      assert.deepEqual(titles(ofOne.json.failingTests), { [emailOf('two')]: ['Our own runner'] })
    })

    test('a plan tells it of what it leaves alone, and an apply', async () => {
      await begin('', { one: [OWN], two: [OWN] })
      const wanted = (tests: readonly object[]) => ({
        workloadIdentityId: 'two',
        workloadIdentity: identityBody(world.gitlab.issuerUrl, { rules: [RULE] }, { tests }),
      })
      const planned = await world.admin('POST', '/v1/workspaces/default:planPolicies', {
        workloadIdentities: [wanted([GOOD])],
        guardrails: { source: HOSTED },
      })
      const { guardrails, changes } = planned.json

      const applied = await world.admin('POST', '/v1/workspaces/default:applyPolicies', {
        changes: changes.map(({ action, email, etag, after }: Record<string, string>) => ({
          action,
          email,
          etag,
          workloadIdentity: after,
        })),
        guardrails: { ...guardrails.after, etag: guardrails.etag },
      })

      assert.deepEqual(titles(guardrails.failingTests), { [emailOf('one')]: ['Our own runner'] })
      assert.equal(applied.status, 200, applied.text)
      assert.deepEqual(titles(applied.json.guardrails.failingTests), { [emailOf('one')]: ['Our own runner'] })
    })

    test('says how far it came where there is no time for all', async () => {
      const search = createFailingTestsSearch(
        {
          identities: { listTested: async () => [{ id: '1' }] },
          policies: {},
          decisions: {},
          clock: world.clock,
        } as never,
        0,
      )

      const found = await search({ before: null, after: 'sha256:x' }, { caller: AbortSignal.abort() })

      assert.deepEqual(found, { looked: 0, count: 0, identities: [], isComplete: false })
    })
  })
}
