import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DenialFacts, explainDenial } from '../../src/exchange/explain-denial.ts'
import type { ConditionVerdict, RuleVerdict, Verdict } from '../../src/policy/verdict.ts'
import { PERSONAL_CLAIMS, PROVIDERS } from '../../src/provider/providers.ts'

const audience = {
  actual: ['https://gitlab.com'],
  allowed: ['https://gitlab.com'],
  requestable: ['http://localhost:8080'],
}

describe('which rules are shown', () => {
  test('none whose group is not met: another group learns nothing', () => {
    const denial = explain({ rules: [ruleWith({ group: unmet('namespace_path', "'acme'", 'evil') })] })

    assert.deepEqual(denial, { message: 'Token exchange denied.', rules: [] })
  })

  test('a group that is not exactly met counts as not met', () => {
    const group = {
      claim: 'namespace_path',
      expected: "'acme'",
      actual: 'x',
      met: 'true',
    } as unknown as ConditionVerdict

    assert.deepEqual(explain({ rules: [ruleWith({ group }), { ...ruleWith({}), conditions: {} }] }).rules, [])
  })

  test('only those whose group is met, also when another one is closer', () => {
    const secret = { ...ruleWith({ group: unmet('namespace_path', "'secret'", 'acme') }), id: 'secret' }
    const shown = ruleWith({ ref: unmetRef(), pipeline_source: unmet('pipeline_source', "'push'", 'web') })

    const denial = explain({ rules: [secret, shown] })

    assert.deepEqual(denial.rules, [shown])
    assert.doesNotMatch(denial.message, /secret/)
  })

  test('the closest has the fewest conditions unmet, the first if equal', () => {
    const far = {
      ...ruleWith({ ref: unmetRef(), project: unmet('project_path', "'acme/app'", 'acme/x') }),
      id: 'far',
    }
    const first = { ...ruleWith({ ref: unmetRef() }), id: 'first' }
    const second = { ...ruleWith({ ref: unmetRef() }), id: 'second' }

    const denial = explain({ rules: [far, first, second] })

    assert.equal(denial.closest?.id, 'first')
    assert.equal(denial.rules.length, 3)
    assert.match(denial.message, /Rule 'first'/)
    assert.doesNotMatch(denial.message, /far|second/)
  })
})

describe('the message names each unmet condition with what is expected, what is there, and the mend', () => {
  const cases: readonly [name: string, conditions: Record<string, ConditionVerdict>, message: RegExp][] = [
    [
      'another ref',
      { ref: unmetRef() },
      /ref_path is 'refs\/heads\/x', expected branch 'main' or tag 'v\*': run the job on a branch or tag/,
    ],
    [
      'a ref one level too deep',
      { ref: unmet('ref_path', "branch 'release/*' or tag 'v*'", 'refs/heads/release/1/2') },
      /'release\/\*\*' would match/,
    ],
    [
      'a ref below a starred name',
      { ref: unmet('ref', "branch 'feature-*'", 'feature-a/b') },
      /'feature-\*\/\*\*' would match/,
    ],
    [
      'another project',
      { project: unmet('project_path', "'acme/app'", 'acme/app2') },
      /project_path is 'acme\/app2', expected 'acme\/app': run the job in the project that the rule names/,
    ],
    [
      'a renamed project',
      {
        project: unmet('project_path', "'acme/app'", 'acme/new'),
        project_id: met('project_id', "'20'", '20'),
      },
      /was renamed or moved/,
    ],
    [
      'a path registered anew',
      {
        project: met('project_path', "'acme/app'", 'acme/app'),
        project_id: unmet('project_id', "'20'", '99'),
      },
      /project_id is '99', expected '20': .*registered anew under the same path/,
    ],
    [
      'another id where the rule names no path',
      {
        project: met('project_path', 'any project', 'acme/x'),
        project_id: unmet('project_id', "'20'", '99'),
      },
      /run the job in a project whose id the rule names/,
    ],
    ['another namespace', { namespace_id: unmet('namespace_id', "'7'", '8') }, /ids\.namespaceIds/],
    [
      'an unprotected branch',
      { protected_ref: unmet('ref_protected', "'true'", 'false') },
      /ref_protected is 'false', expected 'true': protect the branch or tag in GitLab/,
    ],
    [
      'a merge request',
      {
        merge_request: unmet('pipeline_source', 'no merge request', 'merge_request_event'),
        pipeline_source: mergeRequest(),
      },
      /mergeRequests SAME_PROJECT and empty refs/,
    ],
    [
      'an unprotected ref of a merge request',
      { protected_ref: unmet('ref_protected', "'true'", 'false'), pipeline_source: mergeRequest() },
      /source and target branch are both protected/,
    ],
    [
      'a ref of a merge request',
      { ref: unmetRef(), pipeline_source: mergeRequest() },
      /names its source branch/,
    ],
    [
      'a child pipeline that may belong to a merge request',
      {
        merge_request: unmet('ref_protected', "'true'", 'false'),
        pipeline_source: met('pipeline_source', "'parent_pipeline'", 'parent_pipeline'),
      },
      /child pipeline.*protected branch or tag/,
    ],
    [
      'a fork',
      { fork: unmet('job_project_id', "project_id '30'", '20') },
      /job_project_id is '20', expected project_id '30': .*push the branch to the project itself/,
    ],
    [
      'a GitLab that does not say where the job runs',
      { fork: unmet('job_project_id', 'the id of the project', null) },
      /job_project_id is not in the token, .*GitLab to 18\.4 \(or to a patch release of 18\.2 or 18\.3 that has the claim/,
    ],
    [
      'another source',
      { pipeline_source: unmet('pipeline_source', "one of 'push', 'web'", 'trigger') },
      /pipeline_source is 'trigger', expected one of 'push', 'web': .*pipelineSources/,
    ],
    [
      'no environment',
      { 'claim:environment': unmet('environment', "'production'", null) },
      /environment is not in the token, expected 'production': give the job such an environment/,
    ],
    [
      'no tier',
      { 'claim:deployment_tier': unmet('deployment_tier', "'production'", null) },
      /give the job an environment for which this holds/,
    ],
    [
      'a claim of a later GitLab',
      { 'claim:job_source': unmet('job_source', "'x'", null) },
      /GitLab sends it from 18\.9 on/,
    ],
    [
      'a claim of another runner',
      { 'claim:runner_environment': unmet('runner_environment', "'gitlab-hosted'", 'self-hosted') },
      /run the job on such a runner/,
    ],
    [
      'a number as a claim',
      { 'claim:runner_id': unmet('runner_id', "'1'", 1) },
      /runner_id is the number 1, not a string.*compare text alone/,
    ],
    [
      'a number as an id',
      { project_id: unmet('project_id', "'20'", 20) },
      /project_id is the number 20, not a string/,
    ],
    [
      'a boolean',
      { protected_ref: unmet('ref_protected', "'true'", true) },
      /is the boolean true, not a string/,
    ],
    ['an array', { ref: unmet('ref', "branch 'main'", ['main']) }, /ref is an array, not a string/],
    ['an object', { ref: unmet('ref', "branch 'main'", {}) }, /ref is an object, not a string/],
    ['an empty text', { ref: unmet('ref', "branch 'main'", '') }, /ref is empty/],
    [
      'a code of a later time',
      { brand_new: unmet('x', "'y'", 'z') },
      /Condition brand_new: x is 'z', expected 'y': change the job/,
    ],
  ]

  for (const [name, conditions, message] of cases) {
    test(name, () => {
      const denial = explain({ rules: [ruleWith(conditions)] })

      assert.match(denial.message, message)
      assert.match(
        denial.message,
        /^Token exchange denied\. Rule 'deploy' \(Deploy from main\) is not met\. /,
      )
      assert.match(denial.message, /[a-z')]\.$/)
    })
  }

  test('several at once, in the order of the documentation', () => {
    const denial = explain({
      rules: [
        ruleWith({
          'claim:environment': unmet('environment', "'production'", null),
          ref: unmetRef(),
          project: unmet('project_path', "'acme/app'", 'acme/x'),
        }),
      ],
    })

    assert.match(denial.message, /Condition project:.*Condition ref:.*Condition claim:environment:/)
  })

  for (const name of PERSONAL_CLAIMS) {
    test(`${name} may be missing because it is personal`, () => {
      const denial = explain({ rules: [ruleWith({ [`claim:${name}`]: unmet(name, "'x'", null) })] })

      assert.match(denial.message, /recordedClaims/)
    })
  }
})

describe('a job of GitHub is told of what GitHub has', () => {
  const event = (actual: string | null) => ({
    pipeline_source: unmet('event_name', "one of 'push', 'schedule'", actual),
  })
  const cases: readonly [name: string, conditions: Record<string, ConditionVerdict>, message: RegExp][] = [
    [
      'a pull request',
      {
        merge_request: unmet('event_name', 'any other event', 'pull_request'),
        pipeline_source: met('event_name', "'push'", 'pull_request'),
      },
      /event_name is 'pull_request', .*: pull requests are never admitted.* let the job run on push/,
    ],
    [
      "a pull request's ref",
      {
        ref: unmet('ref', "'refs/heads/' and the name of the branch", 'refs/pull/7/merge'),
        pipeline_source: met('event_name', "'push'", 'pull_request'),
      },
      /a pull request's token names no branch/,
    ],
    [
      'what is never admitted is not to be listed',
      event('pull_request_target'),
      /requests are never admitted/,
    ],
    ['a workflow_run', event('workflow_run'), /a workflow_run may follow the pull request of a fork/],
    ['another event', event('release'), /have the rule's pipelineSources extended/],
    ['a fork', { fork: unmet('event_name', 'another', 'workflow_run') }, /may run code of a fork/],
    ['no event', { fork: unmet('event_name', 'another', null) }, /GitHub always sends event_name/],
    [
      'a ref that is not protected',
      { protected_ref: unmet('ref_protected', "'true'", 'false') },
      /protect the branch or tag in GitHub \(Settings, Rules, or Settings, Branches\), or have the rule's protectedRefsOnly/,
    ],
    [
      'a ref one level too deep',
      { ref: unmet('ref', "branch 'release/*'", 'refs/heads/release/1/2') },
      /; '\*' stays within one segment, and 'release\/\*\*' would match/,
    ],
    [
      'a claim of another type',
      { project_id: unmet('repository_id', "'20'", 20) },
      /is the number 20, not a string, .*: GitHub sends text here/,
    ],
  ]
  for (const [name, conditions, message] of cases) {
    test(name, () => {
      const denial = explain({ provider: PROVIDERS.GITHUB, rules: [ruleWith(conditions)] })

      assert.match(denial.message, message)
      assert.doesNotMatch(denial.message, /GitLab|gitlab/)
    })
  }

  test('the audience, with how a workflow asks for it', () => {
    const denial = explain({
      provider: PROVIDERS.GITHUB,
      reason: 'token_audience',
      rules: [ruleWith({})],
      audience: {
        ...audience,
        actual: ['https://github.com/acme'],
        allowed: ['https://token.actions.githubusercontent.com'],
      },
    })

    assert.match(
      denial.message,
      /have the workflow ask for its token with the audience 'https:\/\/token\.actions\.githubusercontent\.com' \(core\.getIDToken with it, /,
    )
  })
})

describe('no other pattern is suggested', () => {
  const cases: readonly [expected: string, actual: string][] = [
    ["branch 'release/*'", 'refs/heads/other/1/2'],
    ["branch 'release/*'", 'refs/heads/release'],
    ["branch 'release/**'", 'refs/heads/release'],
    ["tag 'release/*'", 'refs/heads/release/1/2'],
    ["branch 'main'", 'refs/heads/main/x'],
    ["branch 'a*b*'", 'refs/heads/ab'],
    ["branch 'ab*ba/*'", 'refs/heads/aba/1/2'],
    ['any branch or tag', 'refs/tags/x'],
  ]

  for (const [expected, actual] of cases) {
    test(`${expected} for ${actual}`, () => {
      const denial = explain({ rules: [ruleWith({ ref: unmet('ref_path', expected, actual) })] })

      assert.doesNotMatch(denial.message, /would match/)
    })
  }
})

describe('other reasons', () => {
  const allowed: Verdict = { allow: true, rules: [ruleWith({})], conditions: [], guardrails: [], roles: [] }

  test("the token's audience, with what to set in the job", () => {
    const denial = explain({
      reason: 'token_audience',
      verdict: allowed,
      audience: { ...audience, actual: ['https://x'] },
    })

    assert.match(
      denial.message,
      /aud is 'https:\/\/x', expected 'https:\/\/gitlab\.com': in \.gitlab-ci\.yml set aud under id_tokens/,
    )
    assert.doesNotMatch(denial.message, /Rule/)
  })

  test('several audiences, ours among them', () => {
    const denial = explain({
      reason: 'token_audience',
      verdict: allowed,
      audience: { ...audience, actual: ['https://gitlab.com', 'b'] },
    })

    assert.match(denial.message, /aud has 2 audiences \('https:\/\/gitlab\.com', 'b'\), expected exactly one/)
  })

  test('no audience', () => {
    const denial = explain({
      reason: 'token_audience',
      verdict: allowed,
      audience: { ...audience, actual: [] },
    })

    assert.match(denial.message, /aud is empty, expected 'https:\/\/gitlab\.com'/)
  })

  test('a wrong audience and an unmet rule are told together, so that one more run mends both', () => {
    const denial = explain({
      reason: 'token_audience',
      rules: [ruleWith({ ref: unmetRef() })],
      audience: { ...audience, actual: ['x'] },
    })

    assert.match(denial.message, /aud is 'x'.*Condition ref:/)
  })

  test('an audience that may not be asked for', () => {
    const denial = explain({
      reason: 'audience_not_allowed',
      verdict: allowed,
      audience: {
        ...audience,
        requested: 'https://other',
        requestable: ['http://localhost:8080', 'https://api'],
      },
    })

    assert.match(
      denial.message,
      /audience is 'https:\/\/other', expected 'http:\/\/localhost:8080' or 'https:\/\/api': leave audience out/,
    )
  })

  test('a replay says when, by which decision, and to retry the job', () => {
    const useTime = Date.UTC(2026, 0, 2, 3, 4, 5)
    const replay = { decisionId: '0190-id', useTime, now: useTime + 150_000 }

    const denial = explain({ reason: 'token_replayed', verdict: allowed, replay })

    assert.match(
      denial.message,
      /used 2 minutes ago \(2026-01-02T03:04:05\.000Z\) by decision 0190-id.*retry the job/,
    )
    assert.doesNotMatch(denial.message, /Rule/)
  })

  const spans: readonly [ms: number, words: string][] = [
    [-5000, 'just now'],
    [999, 'just now'],
    [1000, '1 second ago'],
    [119_999, '119 seconds ago'],
    [120_000, '2 minutes ago'],
    [7_199_999, '119 minutes ago'],
    [7_200_000, '2 hours ago'],
  ]
  for (const [ms, words] of spans) {
    test(`a use ${ms} ms ago was ${words}`, () => {
      const replay = { decisionId: 'id', useTime: 1_000_000_000, now: 1_000_000_000 + ms }

      assert.ok(
        explain({ reason: 'token_replayed', verdict: allowed, replay }).message.includes(`used ${words} (`),
      )
    })
  }

  test('a replay of which nothing more is known still says what to do', () => {
    assert.match(
      explain({ reason: 'token_replayed', verdict: allowed }).message,
      /used before, .*retry the job/,
    )
  })

  test("conditions and guardrails speak in their authors' words", () => {
    const denial = explain({
      reason: 'denied_by_conditions',
      verdict: {
        ...allowed,
        allow: false,
        conditions: [
          { code: 'hosted_runner', message: "Only GitLab's own runners may deploy.", met: false },
          { code: 'fine', message: 'Never shown.', met: true },
        ],
        guardrails: [{ code: 'working_hours', message: 'Deploy by day', met: false }],
      },
    })

    assert.match(
      denial.message,
      /The identity's condition 'hosted_runner' is not met: Only GitLab's own runners may deploy\. The organisation's guardrail 'working_hours' is not met: Deploy by day\.$/,
    )
    assert.doesNotMatch(denial.message, /Never shown/)
  })
})

describe('whatever a token or a rule says', () => {
  test('the message is one line without a backslash, a double quote or a bare pattern', () => {
    const hostile = `a "b" \\n \n * [x] ? \u2028 \ud800`
    const denial = explain({
      rules: [{ ...ruleWith({ 'claim:x': unmet(hostile, hostile, hostile) }), id: hostile, title: hostile }],
    })

    assert.doesNotMatch(JSON.stringify(denial.message).slice(1, -1), /["\\\n]/)
    for (const word of denial.message.split(' ')) assert.doesNotMatch(word.replace(/'[^']*'/g, ''), /[*?[]/)
  })

  test('the message stays short enough to read', () => {
    const long = 'x'.repeat(16_000)
    const denial = explain({
      reason: 'token_audience',
      rules: [ruleWith({ ref: unmet('ref', long, long) })],
      audience: { ...audience, actual: Array(500).fill(long), allowed: [long] },
    })

    assert.ok(denial.message.length < 5000)
  })

  test('a long ref full of stars costs milliseconds', () => {
    const started = process.threadCpuUsage()

    explain({
      rules: [ruleWith({ ref: unmet('ref', `branch '${'*a'.repeat(500)}*'`, `${'a'.repeat(16_000)}/b`) })],
    })

    assert.ok(process.threadCpuUsage(started).user < 500_000)
  })
})

function explain(change: Partial<DenialFacts> & { readonly rules?: readonly RuleVerdict[] }) {
  const { rules = [], ...facts } = change
  const verdict = { allow: false, rules, conditions: [], guardrails: [], roles: [] }
  return explainDenial({
    reason: 'condition_not_met',
    verdict,
    provider: PROVIDERS.GITLAB,
    audience,
    ...facts,
  })
}

function ruleWith(conditions: Readonly<Record<string, ConditionVerdict>>): RuleVerdict {
  const all = { group: met('namespace_path', "'acme' or below", 'acme'), ...conditions }
  const isMet = Object.values(all).every((condition) => condition.met)
  return { id: 'deploy', title: 'Deploy from main', met: isMet, conditions: all }
}

function met(claim: string, expected: string, actual: ConditionVerdict['actual']): ConditionVerdict {
  return { claim, expected, actual, met: true }
}

function unmet(claim: string, expected: string, actual: ConditionVerdict['actual']): ConditionVerdict {
  return { claim, expected, actual, met: false }
}

function unmetRef(): ConditionVerdict {
  return unmet('ref_path', "branch 'main' or tag 'v*'", 'refs/heads/x')
}

function mergeRequest(): ConditionVerdict {
  return met('pipeline_source', "one of 'push', 'web'", 'merge_request_event')
}
