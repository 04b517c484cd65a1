import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import { bodyWith, bodyWithRules, configWith, context, read } from './sample-bodies.ts'

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
      'a lifetime as text',
      { ...bodyWith({}), tokenLifetimeSeconds: '600' },
      'tokenLifetimeSeconds',
      /not a string: write 600 without quotes$/,
    ],
    [
      'a lifetime as words',
      { ...bodyWith({}), tokenLifetimeSeconds: 'an hour' },
      'tokenLifetimeSeconds',
      /a number, not a string$/,
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
      'another provider',
      configWith({ providerType: 'gitlab' }),
      `${config}.providerType`,
      /must be 'GITLAB' or 'GITHUB', not 'gitlab'/,
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
    [
      'conditions beside the config',
      { ...bodyWith({}), conditions: '' },
      'conditions',
      /goes into workloadIdentityConfig/,
    ],
    [
      'conditions that are no text',
      configWith({ conditions: ['package x'] }),
      `${config}.conditions`,
      /must be a string/,
    ],
    [
      'tests in the config',
      configWith({ tests: [] }),
      `${config}.tests`,
      /stands beside workloadIdentityConfig/,
    ],
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
    [
      'disabled as text',
      bodyWith({ disabled: 'false' }),
      `${rule}.disabled`,
      /true or false, not a string: write false without quotes$/,
    ],
    [
      'refs as one object',
      bodyWith({ refs: { type: 'TAG', pattern: 'v*' } }),
      `${rule}.refs`,
      /a list, not an object/,
    ],
    [
      'a ref as text',
      bodyWith({ refs: ['main'] }),
      `${rule}.refs[0]`,
      /an object, not a string: for example \{"type":"BRANCH","pattern":"main"\}$/,
    ],
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
