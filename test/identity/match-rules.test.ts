import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ParseContext, parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import type { Rule } from '../../src/identity/rule.ts'

const context: ParseContext = {
  email: 'deploy@workload.example.com',
  findRoleProblem: () => undefined,
  tokenLifetimeSeconds: 3600,
}
const MAIN = [{ type: 'BRANCH', pattern: 'main' }]
const TAGS = [{ type: 'TAG', pattern: 'v*' }]

/** The rules that a body makes of these stored ones, and what is noted about them. */
function change(former: readonly Rule[], rules: readonly object[], lastRuleNumber = former.length) {
  const workloadIdentityConfig = { providerType: 'GITLAB', issuerUrl: 'https://gitlab.com', rules }
  const parsed = parseWorkloadIdentity(
    { workloadIdentityConfig },
    { ...context, former: { rules: former, lastRuleNumber } },
  )
  if (!parsed.ok) return { problem: `${parsed.field} ${parsed.message}`, rules: [], notices: [] }
  return { rules: parsed.spec.workloadIdentityConfig.rules, notices: parsed.notices }
}

function stored(...rules: readonly object[]): readonly Rule[] {
  return change([], rules, 0).rules
}

const ids = (rules: readonly Rule[]) => rules.map(({ id }) => id)

describe('a change of refs in a rule', () => {
  type Fields = { readonly protectedRefsOnly?: boolean; readonly mergeRequests?: 'NONE' | 'SAME_PROJECT' }
  const cases: readonly {
    readonly name: string
    readonly from: object
    readonly to: object
    readonly becomes: Fields
    readonly noted: readonly string[]
  }[] = [
    {
      name: 'from empty to given decides both anew',
      from: {},
      to: { refs: MAIN },
      becomes: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      noted: ['protectedRefsOnly', 'mergeRequests'],
    },
    {
      name: 'from empty to given leaves protection as the request states it',
      from: {},
      to: { refs: MAIN, protectedRefsOnly: false },
      becomes: { protectedRefsOnly: false, mergeRequests: 'NONE' },
      noted: ['mergeRequests'],
    },
    {
      name: 'from empty to given leaves merge requests as the request states them',
      from: {},
      to: { refs: MAIN, mergeRequests: 'NONE' },
      becomes: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      noted: ['protectedRefsOnly'],
    },
    {
      name: 'from empty to given notes only what is another',
      from: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      to: { refs: MAIN },
      becomes: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      noted: [],
    },
    {
      name: 'from given to empty leaves both as they are',
      from: { refs: MAIN },
      to: { refs: [] },
      becomes: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      noted: [],
    },
    {
      name: 'from given to left out is one to empty',
      from: { refs: MAIN, protectedRefsOnly: false },
      to: {},
      becomes: { protectedRefsOnly: false, mergeRequests: 'NONE' },
      noted: [],
    },
    {
      name: 'from given to empty takes what the request states',
      from: { refs: MAIN },
      to: { refs: [], protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' },
      becomes: { protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' },
      noted: [],
    },
    {
      name: 'from given to others leaves both as they are',
      from: { refs: MAIN, protectedRefsOnly: false },
      to: { refs: TAGS },
      becomes: { protectedRefsOnly: false, mergeRequests: 'NONE' },
      noted: [],
    },
    {
      name: 'that is none leaves both as they are',
      from: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      to: { refs: [], project: 'other' },
      becomes: { protectedRefsOnly: true, mergeRequests: 'NONE' },
      noted: [],
    },
  ]
  for (const { name, from, to, becomes, noted } of cases) {
    test(name, () => {
      const former = stored({ id: 'deploy', group: 'acme', ...from })

      const { rules, notices } = change(former, [{ id: 'deploy', group: 'acme', ...to }])

      const { protectedRefsOnly, mergeRequests } = rules[0] as Rule
      assert.deepEqual({ protectedRefsOnly, mergeRequests }, becomes)
      assert.deepEqual(
        notices.map(
          (notice) => /^workloadIdentityConfig\.rules\[0\]\.(\w+): changed from /.exec(notice)?.[1],
        ),
        noted,
      )
    })
  }

  test('in what was read as a whole is stated, so it is refused with the rules to write instead', () => {
    const [rule] = stored({ id: 'deploy', group: 'acme' })

    const { problem } = change([rule as Rule], [{ ...rule, refs: MAIN }])

    assert.match(
      problem ?? '',
      /mergeRequests SAME_PROJECT goes with empty refs only.*write two rules instead/,
    )
  })

  test('says from what to what, and why', () => {
    const { notices } = change(stored({ id: 'deploy', group: 'acme' }), [
      { id: 'deploy', group: 'acme', refs: MAIN },
    ])

    assert.match(notices.join(), /changed from SAME_PROJECT to NONE, because refs are given now/)
  })
})

describe('the id of a rule', () => {
  test('stays with its rule in whatever order and however it is changed', () => {
    const former = stored({ id: 'a', group: 'acme' }, { id: 'b', group: 'acme', project: 'app' })

    const { rules } = change(former, [
      { id: 'b', group: 'other' },
      { id: 'a', group: 'acme', title: 'A' },
    ])

    assert.deepEqual(ids(rules), ['b', 'a'])
  })

  test('is kept without being said where the rule says the same, so that a list given twice changes nothing', () => {
    const bodies = [
      { group: 'acme', project: 'app', refs: MAIN },
      { group: 'acme', project: 'app' },
      { group: 'acme', project: 'app', refs: TAGS, protectedRefsOnly: false },
    ]
    const former = stored(...bodies)

    const again = change(former, bodies)
    const turned = change(former, bodies.toReversed())

    assert.deepEqual(again.rules, former)
    assert.deepEqual(again.notices, [])
    assert.deepEqual(turned.rules, former.toReversed())
  })

  test('is a new number for a rule that is changed without it, and the answer says so', () => {
    const former = stored({ group: 'acme', project: 'app', refs: MAIN })

    const { rules, notices } = change(former, [{ group: 'acme', project: 'app', refs: TAGS }])

    assert.deepEqual(ids(rules), ['rule-2'])
    assert.match(notices.join(), /rules\[0\]\.id: is rule-2 and not rule-1/)
  })

  test('is never the one of a rule that was removed', () => {
    const former = stored({ group: 'acme' }, { group: 'beta' })
    const without = change(former, [{ group: 'beta' }]).rules

    const { rules } = change(without, [{ group: 'beta' }, { group: 'gamma' }], 2)

    assert.deepEqual(ids(rules), ['rule-2', 'rule-3'])
  })

  test('is none that an author gave', () => {
    const { rules } = change([], [{ group: 'acme' }, { id: 'rule-1', group: 'beta' }, { group: 'gamma' }])

    assert.deepEqual(ids(rules), ['rule-2', 'rule-1', 'rule-3'])
  })

  test('may not stand twice', () => {
    const former = stored({ group: 'acme' })

    const { problem } = change(former, [
      { id: 'rule-1', group: 'acme' },
      { id: 'rule-1', group: 'beta' },
    ])

    assert.match(problem ?? '', /rules\[1\]\.id 'rule-1' is the id of rules\[0\] already/)
  })
})

describe('a rule without an id in place of one of the same projects', () => {
  test('does not open what refs had closed', () => {
    const former = stored({ group: 'acme', project: 'app', refs: MAIN })

    const first = change(former, [{ group: 'Acme', project: 'app' }]).rules
    const again = change(first, [{ group: 'Acme', project: 'app' }], 2).rules

    assert.equal(first[0]?.protectedRefsOnly, true)
    assert.equal(first[0]?.mergeRequests, 'NONE')
    assert.deepEqual(again, first)
  })

  test('is as closed as a new one where refs are given', () => {
    const former = stored({ group: 'acme', project: 'app', refs: MAIN, protectedRefsOnly: false })

    const { rules, notices } = change(former, [{ group: 'acme', project: 'app', refs: TAGS }])

    assert.equal(rules[0]?.protectedRefsOnly, true)
    assert.match(notices.join(), /protectedRefsOnly: changed from false to true/)
  })

  test('takes nothing over where several could be meant', () => {
    const former = stored({ group: 'acme', refs: MAIN }, { group: 'acme', refs: TAGS })

    const { rules, notices } = change(former, [{ group: 'acme' }])

    assert.deepEqual(ids(rules), ['rule-3'])
    assert.equal(rules[0]?.mergeRequests, 'SAME_PROJECT')
    assert.deepEqual(notices, [])
  })
})
