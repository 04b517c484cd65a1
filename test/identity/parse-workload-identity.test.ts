import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ParseContext, parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from '../../src/identity/workload-identity.ts'

const context: ParseContext = {
  email: 'gitlab-deploy@workload.example.com',
  knownRoles: ['roles/workspaceAdmin', 'roles/policyAuthor', 'roles/auditor', 'roles/gitopsServiceAgent'],
  tokenLifetimeSeconds: 1800,
}

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

describe('each refusal names the field and how to mend it', () => {
  const cases: readonly [name: string, body: unknown, field: string, message: RegExp][] = [
    ['no object', [], 'body', /JSON object/],
    ['nothing', undefined, 'body', /JSON object/],
    ['null', null, 'body', /JSON object/],
    ['an empty title', { ...bodyWith({}), title: '' }, 'title', /must not be blank/],
    ['a blank title', { ...bodyWith({}), title: '  ' }, 'title', /must not be blank/],
    ['a title of 201', { ...bodyWith({}), title: 'x'.repeat(201) }, 'title', /at most 200 characters/],
    ['a title that is a number', { ...bodyWith({}), title: 1 }, 'title', /string, not a number: write "1"/],
    ['a newline in a title', { ...bodyWith({}), title: 'a\nb' }, 'title', /control character \(U\+000A\)/],
    ['U+0000', { ...bodyWith({}), title: 'a\0' }, 'title', /U\+0000/],
    ['a C1 control', { ...bodyWith({}), title: 'a\u009b' }, 'title', /U\+009B/],
    ['a backslash in a title', { ...bodyWith({}), title: 'a\\b' }, 'title', /backslash/],
    ['U+2028 in a title', { ...bodyWith({}), title: 'a\u2028' }, 'title', /line separator/],
    ['U+2029 in a title', { ...bodyWith({}), title: 'a\u2029' }, 'title', /line separator/],
    ['half a surrogate pair', { ...bodyWith({}), title: 'a\ud800' }, 'title', /surrogate/],
    ['turned text', { ...bodyWith({}), title: 'a\u202e' }, 'title', /direction/],
    [
      'another email',
      { ...bodyWith({}), email: 'x@workload.example.com' },
      'email',
      /must be gitlab-deploy@/,
    ],
    [
      'an email of another domain',
      { ...bodyWith({}), email: 'gitlab-deploy@example.org' },
      'email',
      /must end with '@workload\.example\.com'/,
    ],
    [
      'another name',
      { ...bodyWith({}), name: 'workloadIdentities/x' },
      'name',
      /workloadIdentities\/gitlab-deploy@/,
    ],
    ['a state that is not active', { ...bodyWith({}), state: 'DISABLED' }, 'state', /must be ACTIVE/],
    ['a state that is none', { ...bodyWith({}), state: 'ON' }, 'state', /'ACTIVE', 'DISABLED' or 'DELETED'/],
    [
      'a lifetime of 59',
      { ...bodyWith({}), tokenLifetimeSeconds: 59 },
      'tokenLifetimeSeconds',
      /at least 60/,
    ],
    [
      'a lifetime of 3601',
      { ...bodyWith({}), tokenLifetimeSeconds: 3601 },
      'tokenLifetimeSeconds',
      /at most 3600/,
    ],
    [
      'half a second',
      { ...bodyWith({}), tokenLifetimeSeconds: 60.5 },
      'tokenLifetimeSeconds',
      /whole number/,
    ],
    [
      'a lifetime as text',
      { ...bodyWith({}), tokenLifetimeSeconds: '60' },
      'tokenLifetimeSeconds',
      /number, not a string/,
    ],
    [
      'a use that is none',
      { ...bodyWith({}), subjectTokenUse: 'TWICE' },
      'subjectTokenUse',
      /'ONCE' or 'MANY'/,
    ],
    ['an audience twice', { ...bodyWith({}), tokenAudiences: ['a', 'a'] }, 'tokenAudiences[1]', /twice/],
    [
      'an empty audience',
      { ...bodyWith({}), tokenAudiences: [''] },
      'tokenAudiences[0]',
      /must not be empty/,
    ],
    ['a list as text', { ...bodyWith({}), tokenAudiences: 'a' }, 'tokenAudiences', /must be a list/],
    ['a claim twice', { ...bodyWith({}), recordedClaims: ['actor', 'actor'] }, 'recordedClaims[1]', /twice/],
    [
      'a claim that is none',
      { ...bodyWith({}), recordedClaims: ['user login'] },
      'recordedClaims[0]',
      /not the name of a claim/,
    ],
    [
      'null for a list',
      { ...bodyWith({}), recordedClaims: null },
      'recordedClaims',
      /must be a list, not null/,
    ],
    ['an unknown field', { ...bodyWith({}), colour: 1 }, 'colour', /is not a field$/],
    [
      'a field in another spelling',
      { ...bodyWith({}), token_audiences: [] },
      'token_audiences',
      /the nearest is tokenAudiences/,
    ],
    ['an unknown field with an odd name', { ...bodyWith({}), 'a b': 1 }, "['a b']", /is not a field/],
    ['no config', { title: 'x' }, config, /is required/],
    ['a config that is a list', { title: 'x', [config]: [] }, config, /an object, not a list/],
    [
      'no provider',
      configWith({ providerType: undefined }),
      `${config}.providerType`,
      /is required: 'GITLAB'/,
    ],
    [
      'GitHub',
      configWith({ providerType: 'GITHUB' }),
      `${config}.providerType`,
      /GITHUB is not supported yet/,
    ],
    [
      'another provider',
      configWith({ providerType: 'gitlab' }),
      `${config}.providerType`,
      /must be 'GITLAB', not 'gitlab'/,
    ],
    ['no issuer', configWith({ issuerUrl: undefined }), `${config}.issuerUrl`, /is required/],
    [
      'a misspelt issuer',
      configWith({ issuerUrl: undefined, issuerURL: 'x' }),
      `${config}.issuerURL`,
      /the nearest is issuerUrl/,
    ],
    ['no audience', configWith({ allowedAudiences: [] }), `${config}.allowedAudiences`, /must not be empty/],
    [
      'an audience listed twice',
      configWith({ allowedAudiences: ['a', 'b', 'a'] }),
      `${config}.allowedAudiences[2]`,
      /twice/,
    ],
    ['conditions', configWith({ conditions: '' }), `${config}.conditions`, /is not supported yet/],
    ['tests', { ...bodyWith({}), tests: [] }, 'tests', /is not supported yet/],
    ['tests in the config', configWith({ tests: [] }), `${config}.tests`, /is not supported yet/],
    ['no rules', configWith({ rules: undefined }), `${config}.rules`, /is required/],
    ['empty rules', bodyWithRules([]), `${config}.rules`, /must not be empty/],
    ['101 rules', bodyWithRules(Array(101).fill({ group: 'a' })), `${config}.rules`, /at most 100 entries/],
    ['a rule that is null', bodyWithRules([null]), rule, /an object, not null/],
    ['no group', bodyWithRules([{}]), `${rule}.group`, /is required/],
    ['an empty group', bodyWith({ group: '' }), `${rule}.group`, /must not be empty/],
    ['a group that is a list', bodyWith({ group: ['a'] }), `${rule}.group`, /a string, not a list/],
    [
      'a group that would be Rego',
      bodyWith({ group: 'a"} allow := true #' }),
      `${rule}.group`,
      /letters, digits/,
    ],
    ['a group with a template', bodyWith({ group: `$\{x}` }), `${rule}.group`, /letters, digits/],
    ['a project with a slash first', bodyWith({ project: '/app' }), `${rule}.project`, /write 'app'/],
    [
      'two rules of one id',
      bodyWithRules([
        { group: 'a', id: 'x' },
        { group: 'b', id: 'x' },
      ]),
      `${config}.rules[1].id`,
      /rules\[0\] already/,
    ],
    ['an id with a number sign', bodyWith({ id: 'a#b' }), `${rule}.id`, /letters, digits/],
    ['an empty id', bodyWith({ id: '' }), `${rule}.id`, /must not be empty/],
    ['a newline in an id', bodyWith({ id: 'a\n' }), `${rule}.id`, /control character/],
    ['disabled as text', bodyWith({ disabled: 'false' }), `${rule}.disabled`, /true or false, not a string/],
    [
      'refs as one object',
      bodyWith({ refs: { type: 'TAG', pattern: 'v*' } }),
      `${rule}.refs`,
      /a list, not an object/,
    ],
    ['a ref as text', bodyWith({ refs: ['main'] }), `${rule}.refs[0]`, /an object, not a string/],
    [
      'a ref without a type',
      bodyWith({ refs: [{ pattern: 'main' }] }),
      `${rule}.refs[0].type`,
      /'BRANCH' or 'TAG'/,
    ],
    [
      'a ref of type branch',
      bodyWith({ refs: [{ type: 'branch', pattern: 'a' }] }),
      `${rule}.refs[0].type`,
      /not 'branch'/,
    ],
    [
      'a pattern that cannot be, the second of two',
      bodyWith({
        refs: [
          { type: 'TAG', pattern: 'v*' },
          { type: 'BRANCH', pattern: '**/a' },
        ],
      }),
      `${rule}.refs[1].pattern`,
      /elsewhere/,
    ],
    [
      'a ref twice',
      bodyWith({
        refs: [
          { type: 'TAG', pattern: 'v*' },
          { type: 'TAG', pattern: 'v*' },
        ],
      }),
      `${rule}.refs[1]`,
      /twice/,
    ],
    [
      '101 refs',
      bodyWith({ refs: Array(101).fill({ type: 'TAG', pattern: 'v' }) }),
      `${rule}.refs`,
      /at most 100/,
    ],
    [
      'merge requests as ALL',
      bodyWith({ mergeRequests: 'ALL' }),
      `${rule}.mergeRequests`,
      /'NONE' or 'SAME_PROJECT'/,
    ],
    [
      'merge_request_event',
      bodyWith({ pipelineSources: ['push', 'merge_request_event'] }),
      `${rule}.pipelineSources[1]`,
      /set mergeRequests to SAME_PROJECT/,
    ],
    [
      'merge_request_event beside refs',
      bodyWith({ refs: [{ type: 'TAG', pattern: 'v*' }], pipelineSources: ['merge_request_event'] }),
      `${rule}.pipelineSources[0]`,
      /rule with empty refs and mergeRequests SAME_PROJECT/,
    ],
    [
      'a source in capitals',
      bodyWith({ pipelineSources: ['Push'] }),
      `${rule}.pipelineSources[0]`,
      /lower case/,
    ],
    [
      'a source twice',
      bodyWith({ pipelineSources: ['push', 'push'] }),
      `${rule}.pipelineSources[1]`,
      /twice/,
    ],
    ['claims as a list', bodyWith({ claims: [] }), `${rule}.claims`, /an object, not a list/],
    [
      'a claim as text',
      bodyWith({ claims: { environment: 'production' } }),
      `${rule}.claims.environment`,
      /write \['production'\]/,
    ],
    [
      'a claim without values',
      bodyWith({ claims: { environment: [] } }),
      `${rule}.claims.environment`,
      /must not be empty/,
    ],
    [
      'a claim of true',
      bodyWith({ claims: { ref_protected: [true] } }),
      `${rule}.claims.ref_protected[0]`,
      /write "true" in quotes/,
    ],
    ['a value twice', bodyWith({ claims: { sha: ['a', 'a'] } }), `${rule}.claims.sha[1]`, /twice/],
    [
      'a value of 1,025',
      bodyWith({ claims: { sha: ['a'.repeat(1025)] } }),
      `${rule}.claims.sha[0]`,
      /at most 1024/,
    ],
    [
      'a name that is none',
      bodyWith({ claims: { 'a b': ['x'] } }),
      `${rule}.claims['a b']`,
      /not the name of a claim/,
    ],
    [
      'an empty claim name',
      bodyWith({ claims: { '': ['x'] } }),
      `${rule}.claims['']`,
      /not the name of a claim/,
    ],
    [
      'a pattern for a claim name',
      bodyWith({ claims: { 'a*': ['x'] } }),
      `${rule}.claims['a*']`,
      /not the name/,
    ],
    ['ids as a list', bodyWith({ ids: ['20'] }), `${rule}.ids`, /an object, not a list/],
    [
      'an id as a number',
      bodyWith({ ids: { projectIds: [20] } }),
      `${rule}.ids.projectIds[0]`,
      /write "20" in quotes/,
    ],
    [
      'an id that is a path',
      bodyWith({ ids: { projectIds: ['acme/app'] } }),
      `${rule}.ids.projectIds[0]`,
      /digits/,
    ],
    [
      'an id with a zero first',
      bodyWith({ ids: { projectIds: ['020'] } }),
      `${rule}.ids.projectIds[0]`,
      /digits/,
    ],
    ['other digits', bodyWith({ ids: { projectIds: ['２０'] } }), `${rule}.ids.projectIds[0]`, /digits/],
    ['an id twice', bodyWith({ ids: { projectIds: ['20', '20'] } }), `${rule}.ids.projectIds[1]`, /twice/],
    [
      'a namespace without a project',
      bodyWith({ ids: { namespaceIds: ['7'] } }),
      `${rule}.ids.namespaceIds`,
      /only with project/,
    ],
    [
      'a namespace with an empty project',
      bodyWith({ project: '', ids: { namespaceIds: ['7'] } }),
      `${rule}.ids.namespaceIds`,
      /only with project/,
    ],
    ['ids of something else', bodyWith({ ids: { projects: [] } }), `${rule}.ids.projects`, /is not a field/],
    [
      'an unknown role',
      bodyWith({ roles: ['roles/owner'] }),
      `${rule}.roles[0]`,
      /not a role: the roles are 'roles\/workspaceAdmin'/,
    ],
    [
      'a role without its prefix',
      bodyWith({ roles: ['gitopsServiceAgent'] }),
      `${rule}.roles[0]`,
      /the nearest is 'roles\/gitopsServiceAgent'/,
    ],
    ['a role twice', bodyWith({ roles: ['roles/auditor', 'roles/auditor'] }), `${rule}.roles[1]`, /twice/],
    [
      'a near miss of a rule',
      bodyWith({ protectedRefOnly: true }),
      `${rule}.protectedRefOnly`,
      /the nearest is protectedRefsOnly/,
    ],
    ['a backslash in a claim', bodyWith({ claims: { sha: ['a\\'] } }), `${rule}.claims.sha[0]`, /backslash/],
    [
      'a newline in an issuer',
      configWith({ issuerUrl: 'https://a\n' }),
      `${config}.issuerUrl`,
      /control character/,
    ],
  ]

  for (const [name, body, field, message] of cases) {
    test(name, () => {
      const parsed = parseWorkloadIdentity(body, context)

      assert.ok(!parsed.ok)
      assert.equal(parsed.field, field)
      assert.match(parsed.message, message)
      assert.doesNotMatch(parsed.message, /[\p{Cc}\u2028\u2029]/u)
    })
  }

  test('a claim called __proto__ is refused, never dropped', () => {
    const body = JSON.parse(JSON.stringify(bodyWith({ claims: { X: ['x'] } })).replace('"X"', '"__proto__"'))

    const parsed = parseWorkloadIdentity(body, context)

    assert.ok(!parsed.ok)
    assert.equal(parsed.field, `${rule}.claims.__proto__`)
  })

  test('a claim called constructor is a claim like any other', () => {
    const spec = read(bodyWith({ claims: { constructor: ['x'] } }))

    assert.deepEqual(Object.entries(spec.workloadIdentityConfig.rules[0]?.claims ?? {}), [
      ['constructor', ['x']],
    ])
  })

  test('a body nested without end is refused, not a fault', () => {
    const nested = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)

    const parsed = parseWorkloadIdentity({ ...bodyWith({}), title: nested }, context)

    assert.ok(!parsed.ok)
    assert.match(parsed.message, /nested deeper/)
  })

  test('a name with a control character is refused on one line', () => {
    const parsed = parseWorkloadIdentity({ ...bodyWith({}), 'a\nb': 1 }, context)

    assert.ok(!parsed.ok)
    assert.doesNotMatch(`${parsed.field} ${parsed.message}`, /\p{Cc}/u)
  })
})

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

function read(body: unknown): WorkloadIdentitySpec {
  const parsed = parseWorkloadIdentity(body, context)
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.field} ${parsed.message}`)
  return parsed.spec
}

function rulesIn(message: string): readonly unknown[] {
  const [, first = '', second = ''] = /(\{.*\}) and (\{.*\})$/.exec(message) ?? []
  return [JSON.parse(first), JSON.parse(second)]
}

function configWith(change: object): object {
  const base = { providerType: 'GITLAB', issuerUrl: 'https://gitlab.com', rules: [{ group: 'acme' }] }
  return {
    title: 'GitLab Deploy',
    workloadIdentityConfig: JSON.parse(JSON.stringify({ ...base, ...change })),
  }
}

function bodyWithRules(rules: readonly unknown[]): object {
  return configWith({ rules })
}

function bodyWith(change: object): object {
  return {
    title: 'GitLab Deploy',
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl: 'https://gitlab.com',
      rules: [{ group: 'acme', ...change }],
    },
  }
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
