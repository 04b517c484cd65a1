import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import type { Rule } from '../../src/identity/rule.ts'
import { context } from './sample-bodies.ts'

const ISSUER = 'https://token.actions.githubusercontent.com'
const MAIN = [{ type: 'BRANCH', pattern: 'main' }]

function parse(rule: object, config: object = {}, former: readonly Rule[] = []) {
  const workloadIdentityConfig = {
    providerType: 'GITHUB',
    issuerUrl: ISSUER,
    rules: [{ group: 'acme', ...rule }],
    ...config,
  }
  return parseWorkloadIdentity(
    { workloadIdentityConfig },
    { ...context, former: { rules: former, lastRuleNumber: former.length } },
  )
}

function read(rule: object, config?: object, former?: readonly Rule[]) {
  const parsed = parse(rule, config, former)
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.field} ${parsed.message}`)
  const [first] = parsed.spec.workloadIdentityConfig.rules
  assert.ok(first)
  return { rule: first, config: parsed.spec.workloadIdentityConfig, notices: parsed.notices }
}

describe('a rule of GitHub that leaves all open', () => {
  test('admits every ref by the usual events, and never a pull request', () => {
    const { rule, config } = read({})

    assert.deepEqual(rule.pipelineSources, ['push', 'workflow_dispatch', 'schedule'])
    assert.equal(rule.mergeRequests, 'NONE')
    assert.equal(rule.protectedRefsOnly, false)
    assert.deepEqual(config.allowedAudiences, [ISSUER])
  })

  test('with refs admits protected ones alone', () => {
    const { rule } = read({ refs: MAIN })

    assert.equal(rule.protectedRefsOnly, true)
    assert.equal(rule.mergeRequests, 'NONE')
  })

  test('has the usual events where its list is empty', () => {
    assert.deepEqual(read({ pipelineSources: [] }).rule.pipelineSources, [
      'push',
      'workflow_dispatch',
      'schedule',
    ])
  })

  test('does not keep from a rule of GitLab that merge requests may come', () => {
    const former = { ...read({ id: 'x' }).rule, mergeRequests: 'SAME_PROJECT' as const }

    assert.equal(read({ id: 'x' }, {}, [former]).rule.mergeRequests, 'NONE')
  })
})

test('what is read is a fixed point', () => {
  const { rule } = read({
    project: '.github',
    refs: MAIN,
    pipelineSources: ['release', 'merge_group'],
    claims: { environment: ['production'] },
    ids: { projectIds: ['20'], namespaceIds: ['72'] },
  })

  assert.deepEqual(read(rule, {}, [rule]).rule, rule)
})

test("an owner's id can be pinned without a repository, as it is that of all of them", () => {
  assert.deepEqual(read({ ids: { namespaceIds: ['72'] } }).rule.ids.namespaceIds, ['72'])
})

describe('a rule of GitHub is refused, with its field and the mend', () => {
  const cases: readonly [name: string, rule: object, field: string, message: RegExp][] = [
    [
      'SAME_PROJECT',
      { mergeRequests: 'SAME_PROJECT' },
      'mergeRequests',
      /must be NONE, or left out: nothing in a token of GitHub tells the pull request of a fork/,
    ],
    ['SAME_PROJECT beside refs', { mergeRequests: 'SAME_PROJECT', refs: MAIN }, 'mergeRequests', /be NONE/],
    ...[
      'pull_request',
      'pull_request_target',
      'pull_request_review',
      'pull_request_review_comment',
      'pull_request_merged',
      'workflow_run',
    ].map((source): [string, object, string, RegExp] => [
      source,
      { pipelineSources: ['push', source] },
      'pipelineSources[1]',
      new RegExp(`^${source} is never admitted, .*: leave it out, and let the job run on push`),
    ]),
    ['an event twice', { pipelineSources: ['push', 'push'] }, 'pipelineSources[1]', /twice/],
    ['an owner with a repository', { group: 'acme/app' }, 'group', /write group 'acme' and project 'app'/],
    ['a repository with its owner', { project: 'acme/app' }, 'project', /write group 'acme' and project/],
    [
      'the ref of a pull request',
      { refs: [{ type: 'BRANCH', pattern: 'refs/pull/7/merge' }] },
      'refs[0].pattern',
      /is the ref of a pull request/,
    ],
    [
      'a full ref',
      { refs: [{ type: 'BRANCH', pattern: 'refs/heads/main' }] },
      'refs[0].pattern',
      /write 'main' with type BRANCH/,
    ],
  ]
  for (const [name, rule, field, message] of cases) {
    test(name, () => {
      const parsed = parse(rule)

      assert.ok(!parsed.ok)
      assert.equal(parsed.field, `workloadIdentityConfig.rules[0].${field}`)
      assert.match(parsed.message, message)
    })
  }
})

describe('what is legal but perhaps not meant is noted', () => {
  const notices = (rule: object, config?: object) => read(rule, config).notices.join('\n')

  test('the audience that a workflow has to ask for, unless another is listed', () => {
    assert.match(
      notices({}),
      /allowedAudiences: has the issuer's URL https:\/\/token\.actions\.githubusercontent\.com: a workflow must ask for its token with this audience/,
    )
    assert.equal(notices({}, { allowedAudiences: ['https://github.com/acme'] }), '')
  })

  const cases: readonly [name: string, rule: object, notice: RegExp | undefined][] = [
    ['an event of GitLab', { pipelineSources: ['web'] }, /'web' is no pipeline source that GitHub is known/],
    ['a misspelt event', { pipelineSources: ['workflow_dispach'] }, /did you mean 'workflow_dispatch'/],
    ['a claim of GitLab', { claims: { project_path: ['x'] } }, /no claim that GitHub is known to send/],
    ['a misspelt claim', { claims: { runner_enviroment: ['x'] } }, /did you mean 'runner_environment'/],
    ['a personal claim', { claims: { actor: ['jane'] } }, /'actor' is personal and dropped/],
    ['a custom property', { claims: { repo_property_tier: ['1'] } }, undefined],
    ['another event', { pipelineSources: ['release'] }, undefined],
    ['a star at the end, as in GitHub', { refs: [{ type: 'BRANCH', pattern: 'release/*' }] }, undefined],
  ]
  for (const [name, rule, notice] of cases) {
    test(`${name}${notice === undefined ? ' is not' : ''}`, () => {
      const noted = notices(rule, { allowedAudiences: ['https://github.com/acme'] })

      if (notice === undefined) assert.equal(noted, '')
      else assert.match(noted, notice)
    })
  }
})
