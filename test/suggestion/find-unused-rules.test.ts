import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createDecisionIds, timeOfId } from '../../src/decision/decision-id.ts'
import { createDecisionStore, type DecisionStore } from '../../src/decision/decision-store.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import type { Rule } from '../../src/identity/rule.ts'
import { createLog } from '../../src/log.ts'
import { findUnusedRules } from '../../src/suggestion/find-unused-rules.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { addIdentity, allowed, denied, dryRun, type Ground, NOW } from '../decision/sample-decisions.ts'
import { ONE_DATABASE } from '../support/world.ts'

/** What of a verdict tells which rules were met, as it is recorded. */
function verdictOf(met: readonly string[], title = 'Deploy', actual: unknown = 'main'): string {
  const condition = { claim: 'ref', expected: 'main', actual, met: true }
  const rules = ['first', 'second', 'third'].map((id) => ({
    id,
    title,
    met: met.includes(id),
    conditions: { ref: condition },
  }))
  return JSON.stringify({ allow: met.length > 0, rules, conditions: [], guardrails: [], roles: [] })
}

for (const kind of ONE_DATABASE) {
  describe(`rules that nobody used, looked for in the database, on ${kind}`, () => {
    let database: TestDatabase
    let decisions: DecisionStore
    let ground: Ground
    const newId = createDecisionIds()

    before(async () => {
      database = await openTestDatabase(kind)
      decisions = createDecisionStore(database.db)
      await decisions.ensurePartitions(NOW)
      ground = await addIdentity(database.db, 'deploy@workload.example.com')
      const other = await addIdentity(database.db, 'other@workload.example.com')
      const record = createDecisionRecorder({ db: database.db, log: createLog('silent') })
      const at = (time: number, verdict: string) => ({ id: newId(time), decideTime: time, verdict })
      await record(allowed(ground, undefined, at(NOW, verdictOf(['first', 'third']))))
      await record(
        allowed(ground, undefined, at(NOW + 1000, verdictOf(['second'], 'Say "met":true, {"id":"first"'))),
      )
      await record(denied(ground, at(NOW + 2000, verdictOf(['third']))))
      await record(dryRun(ground, at(NOW + 3000, verdictOf(['third']))))
      await record(allowed(other, undefined, at(NOW + 4000, verdictOf(['third']))))
      const quoted = '{"id":"third","title":"","met":true,'
      await record(allowed(ground, undefined, at(NOW + 5000, verdictOf(['second'], 'Deploy', quoted))))
    })
    after(() => database?.close())

    const find = async (since: number, limit = 100, before?: string) => {
      const { email: identity, identityId } = ground
      return decisions.findMetRules({ identity, identityId, since, limit, before })
    }

    test('are those that no allowed exchange of the identity met since then', async () => {
      const all = await find(NOW)
      const later = await find(NOW + 1)

      assert.deepEqual([...all.rules].sort(), ['first', 'second', 'third'])
      assert.deepEqual(later.rules, ['second'])
    })

    test('are looked for page by page, to the end or until all were met', async () => {
      const asked: (string | undefined)[] = []
      const findOne: DecisionStore['findMetRules'] = (query) => {
        asked.push(query.before)
        return decisions.findMetRules({ ...query, limit: 1 })
      }
      const look = (ids: readonly string[], since: number, signal = new AbortController().signal) =>
        findUnusedRules(
          { findMetRules: findOne },
          {
            identity: { id: ground.identityId, email: ground.email },
            rules: ids.map((id) => ({ id }) as Rule),
            read: { uses: [], lastId: undefined, isAll: false },
            since,
            timeOfId,
            signal,
          },
        )

      const unused = await look(['first', 'second', 'fourth'], NOW)
      const pagesToTheEnd = asked.length
      const none = await look(['second'], NOW)

      assert.deepEqual(
        unused?.map(({ id }) => id),
        ['fourth'],
      )
      // Five decisions named the identity; the sixth page is empty.
      assert.equal(pagesToTheEnd, 6)
      assert.deepEqual([none, asked.length - pagesToTheEnd], [[], 1])
      assert.equal(await look(['fourth'], NOW, AbortSignal.abort()), undefined)
    })
  })
}
