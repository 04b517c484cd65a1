import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import { bodyWith, bodyWithRules, configWith, context, read } from './sample-bodies.ts'

describe('defaults', () => {
  test('the least body is stored with every default written out', () => {
    const spec = read(bodyWith({}))

    assert.deepEqual(spec, {
      title: 'GitLab Deploy',
      tokenLifetimeSeconds: 1800,
      subjectTokenUse: 'ONCE',
      tokenAudiences: [],
      recordedClaims: [],
      workloadIdentityConfig: {
        providerType: 'GITLAB',
        issuerUrl: 'https://gitlab.com',
        allowedAudiences: ['https://gitlab.com'],
        rules: [
          {
            id: 'rule-1',
            title: '',
            disabled: false,
            group: 'acme',
            project: '',
            refs: [],
            protectedRefsOnly: false,
            mergeRequests: 'SAME_PROJECT',
            pipelineSources: ['push', 'web', 'schedule', 'api'],
            claims: {},
            ids: { projectIds: [], namespaceIds: [] },
            roles: [],
          },
        ],
      },
      tests: [],
    })
  })

  test('an identity without a title is called by its id', () => {
    const spec = read({ ...bodyWith({}), title: undefined })

    assert.equal(spec.title, 'gitlab-deploy')
  })

  test('refs that are given demand protection and leave merge requests out, unless the body says otherwise', () => {
    const refs = [{ type: 'BRANCH', pattern: 'main' }]
    const [silent, stated] = read(
      bodyWithRules([
        { group: 'acme', refs },
        { group: 'acme', refs, protectedRefsOnly: false, mergeRequests: 'NONE' },
      ]),
    ).workloadIdentityConfig.rules

    assert.equal(silent?.protectedRefsOnly, true)
    assert.equal(silent?.mergeRequests, 'NONE')
    assert.equal(stated?.protectedRefsOnly, false)
    assert.equal(stated?.mergeRequests, 'NONE')
  })

  test('what is stated for empty refs is kept', () => {
    const [rule] = read(bodyWith({ refs: [], protectedRefsOnly: true, mergeRequests: 'NONE' }))
      .workloadIdentityConfig.rules

    assert.equal(rule?.protectedRefsOnly, true)
    assert.equal(rule?.mergeRequests, 'NONE')
  })

  test('an empty list of pipeline sources never means any', () => {
    const [rule] = read(bodyWith({ pipelineSources: [] })).workloadIdentityConfig.rules

    assert.deepEqual(rule?.pipelineSources, ['push', 'web', 'schedule', 'api'])
  })

  test('a rule without an id gets the first number that no author has taken', () => {
    const spec = read(
      bodyWithRules([
        { group: 'a' },
        { group: 'a', id: 'rule-2' },
        { group: 'a' },
        { group: 'a', id: 'rule-1' },
      ]),
    )

    assert.deepEqual(
      spec.workloadIdentityConfig.rules.map(({ id }) => id),
      ['rule-3', 'rule-2', 'rule-4', 'rule-1'],
    )
  })

  test('what is answered can be given back and means the same', () => {
    const spec = read(full())
    const answer = {
      ...spec,
      name: `workloadIdentities/${context.email}`,
      email: context.email,
      state: 'ACTIVE',
      etag: '3',
      createTime: '2026-01-01T00:00:00Z',
      updateTime: '2026-01-01T00:00:00Z',
      policyDigest: 'sha256:00',
      notices: [],
    }

    assert.deepEqual(read(JSON.parse(JSON.stringify(answer))), spec)
  })

  test("the contract's own example is accepted without a notice", () => {
    const parsed = parseWorkloadIdentity(full(), context)

    assert.ok(parsed.ok)
    assert.deepEqual(parsed.notices, [])
    assert.equal(parsed.spec.workloadIdentityConfig.rules[0]?.id, 'deploy')
  })

  test('output-only fields are ignored, whatever they hold', () => {
    const body = {
      ...bodyWith({}),
      etag: 7,
      createTime: 'a\nb',
      updateTime: null,
      policyDigest: {},
      notices: '\\',
    }

    assert.equal(read(body).title, 'GitLab Deploy')
  })
})

const config = 'workloadIdentityConfig'
const rule = `${config}.rules[0]`

describe('merge requests beside refs', () => {
  const given = {
    id: 'both',
    group: 'acme',
    project: 'app',
    refs: [{ type: 'BRANCH', pattern: 'main' }],
    protectedRefsOnly: true,
    mergeRequests: 'SAME_PROJECT',
    claims: { environment: ['production'] },
    roles: ['roles/auditor'],
  }

  test('are refused with the two rules to write instead, which are accepted as they stand', () => {
    const parsed = parseWorkloadIdentity(bodyWithRules([given]), context)

    assert.ok(!parsed.ok)
    assert.equal(parsed.field, `${rule}.mergeRequests`)
    const [first, second] = rulesIn(parsed.message)
    const spec = read(bodyWithRules([first, second]))
    const [refsOnly, mergeRequestsOnly] = spec.workloadIdentityConfig.rules
    assert.equal(refsOnly?.mergeRequests, 'NONE')
    assert.deepEqual(refsOnly?.refs, given.refs)
    assert.equal(mergeRequestsOnly?.mergeRequests, 'SAME_PROJECT')
    assert.deepEqual(mergeRequestsOnly?.refs, [])
    assert.equal(mergeRequestsOnly?.protectedRefsOnly, false)
  })

  test('are suggested without widening anything but merge requests', () => {
    const parsed = parseWorkloadIdentity(bodyWithRules([given]), context)

    assert.ok(!parsed.ok)
    assert.deepEqual(Object(rulesIn(parsed.message)[1]).claims, {
      environment: ['production'],
      pipeline_source: ['merge_request_event'],
    })
  })
})

describe('merge requests beside refs and claims.pipeline_source', () => {
  const refusalOf = (...pipeline_source: readonly string[]) => {
    const refs = [{ type: 'BRANCH', pattern: 'main' }]
    const given = { id: 'both', refs, mergeRequests: 'SAME_PROJECT', claims: { pipeline_source } }
    const parsed = parseWorkloadIdentity(bodyWith(given), context)
    assert.ok(!parsed.ok)
    return parsed.message
  }
  const meetable = (...rules: readonly unknown[]) => {
    const parsed = parseWorkloadIdentity(bodyWithRules(rules), context)
    assert.ok(parsed.ok)
    assert.deepEqual(parsed.notices, [])
    return parsed.spec.workloadIdentityConfig.rules
  }

  test('are refused with rules that can be met, each by its own sources', () => {
    const [refsOnly, mergeRequestsOnly] = meetable(...rulesIn(refusalOf('push', 'merge_request_event')))

    assert.deepEqual(refsOnly?.claims, { pipeline_source: ['push'] })
    assert.deepEqual(mergeRequestsOnly?.claims, { pipeline_source: ['merge_request_event'] })
  })

  test('are refused with one rule where it asks for merge requests alone', () => {
    const message = refusalOf('merge_request_event')
    const [only, ...others] = meetable(JSON.parse(message.slice(message.indexOf('{'))))

    assert.match(
      message,
      /: leave refs empty, since claims\.pipeline_source asks for merge requests alone: \{/,
    )
    assert.deepEqual([only?.id, only?.refs, others], ['both', [], []])
  })

  test('are refused with NONE where it asks for none', () => {
    assert.match(
      refusalOf('push'),
      /: set it to NONE, since claims\.pipeline_source asks for no merge request$/,
    )
  })
})

describe('notices', () => {
  const cases: readonly [name: string, body: unknown, notice: RegExp | undefined][] = [
    [
      'release/* does not reach below',
      bodyWith({ refs: [{ type: 'BRANCH', pattern: 'release/*' }] }),
      /refs\[0\]\.pattern: .*not 'release\/1\/2'.*'release\/\*\*'/,
    ],
    ['release/** needs none', bodyWith({ refs: [{ type: 'BRANCH', pattern: 'release/**' }] }), undefined],
    [
      'a personal claim that is not recorded',
      bodyWith({ claims: { user_login: ['x'] } }),
      /claims\.user_login: .*never be met: list it in recordedClaims/,
    ],
    [
      'a personal claim that is recorded',
      { ...bodyWith({ claims: { user_login: ['x'] } }), recordedClaims: ['user_login'] },
      undefined,
    ],
    [
      'a claim that GitLab does not send',
      bodyWith({ claims: { enviroment: ['x'] } }),
      /did you mean 'environment'/,
    ],
    ['a claim that is a number', bodyWith({ claims: { runner_id: ['1'] } }), /runner_id' is a number/],
    [
      'a recorded claim that is not personal',
      { ...bodyWith({}), recordedClaims: ['user_mail'] },
      /recordedClaims\[0\]: .*did you mean 'user_email'/,
    ],
    [
      'a source that GitLab does not send',
      bodyWith({ pipelineSources: ['schedules'] }),
      /pipelineSources\[0\]: .*did you mean 'schedule'/,
    ],
    [
      'a project with its group before it',
      bodyWith({ project: 'ACME/app' }),
      /admits 'acme\/ACME\/app'; for 'ACME\/app' write 'app'/,
    ],
    ['a project called like its group', bodyWith({ project: 'acme' }), undefined],
    ['every rule disabled', bodyWith({ disabled: true }), /every rule is disabled/],
    ...['met contains "a"', 'met contains "a" if true', 'met contains "a" if {\n\ttrue\n}'].map(
      (conditions): [string, object, RegExp] => [
        `conditions that every token meets: ${conditions}`,
        configWith({ conditions: `package claimgate.conditions\n\n${conditions} # always\n` }),
        /^workloadIdentityConfig\.conditions: "a" is met by every token: /,
      ],
    ),
    [
      'conditions on a personal claim that is not recorded',
      configWith({ conditions: 'met contains "a" if input.claims.user_login == "x"' }),
      /^workloadIdentityConfig\.conditions: 'user_login' .*never be met: list it in recordedClaims/,
    ],
    [
      'conditions on a personal claim in brackets',
      configWith({ conditions: 'met contains "a" if input.claims["user_login"] == "x"' }),
      /conditions: 'user_login'/,
    ],
    [
      'conditions on a personal claim by another name',
      configWith({ conditions: 'met contains "a" if {\n\tc := input.claims\n\tc.user_login == "#"\n}' }),
      /conditions: 'user_login'/,
    ],
    [
      'conditions on a personal claim that is recorded',
      {
        ...configWith({ conditions: 'met contains "a" if input.claims.user_login == "x"' }),
        recordedClaims: ['user_login'],
      },
      undefined,
    ],
    [
      'conditions that only tell of a personal claim',
      configWith({
        conditions: '# not input.claims.user_login\nmet contains "user_login" if input.time > 5',
      }),
      undefined,
    ],
  ]

  for (const [name, body, notice] of cases) {
    test(name, () => {
      const parsed = parseWorkloadIdentity(body, context)

      assert.ok(parsed.ok)
      assert.equal(parsed.notices.length, notice === undefined ? 0 : 1)
      if (notice !== undefined) assert.match(parsed.notices[0] ?? '', notice)
    })
  }
})

function rulesIn(message: string): readonly unknown[] {
  const [, first = '', second = ''] = /(\{.*\}) and (\{.*\})$/.exec(message) ?? []
  return [JSON.parse(first), JSON.parse(second)]
}

function full(): object {
  return {
    title: 'GitLab Deploy',
    tokenLifetimeSeconds: 3600,
    subjectTokenUse: 'ONCE',
    tokenAudiences: [],
    recordedClaims: [],
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl: 'https://gitlab.com',
      allowedAudiences: ['https://gitlab.com'],
      rules: [
        {
          id: 'deploy',
          title: 'Deploy from main',
          group: 'my-group',
          project: 'my-project',
          refs: [
            { type: 'BRANCH', pattern: 'main' },
            { type: 'TAG', pattern: 'v*' },
          ],
          protectedRefsOnly: true,
          mergeRequests: 'NONE',
          pipelineSources: ['push', 'web', 'schedule', 'api'],
          claims: { environment: ['production'] },
          ids: { projectIds: ['20'], namespaceIds: [] },
          roles: ['roles/gitopsServiceAgent'],
        },
      ],
    },
  }
}
