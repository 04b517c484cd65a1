import {
  type Claims,
  childPipeline,
  forkMergeRequest,
  type GitlabVersion,
  mergeRequest,
  tag,
} from '../support/gitlab-claims.ts'
import type { Expected } from './claims-outcome.ts'

const APP = {
  group: 'acme',
  project: 'app',
  refs: [
    { type: 'BRANCH', pattern: 'main' },
    { type: 'TAG', pattern: 'v*' },
  ],
}
const branches = (...patterns: string[]) => patterns.map((pattern) => ({ type: 'BRANCH', pattern }))

/** Each rule with what a token that it admits says otherwise than the push to main of acme/app. */
export const RULES = {
  app: { rule: APP, good: {} },
  group: { rule: { ...APP, project: '' }, good: {} },
  'sub/app': { rule: { ...APP, project: 'sub/app' }, good: { project_path: 'acme/sub/app' } },
  'release/*': { rule: { ...APP, refs: branches('release/*') }, good: { ref: 'release/1' } },
  'a/**': { rule: { ...APP, refs: branches('a/**') }, good: { ref: 'a/b' } },
  'v*.*': { rule: { ...APP, refs: branches('v*.*') }, good: { ref: 'v1.2' } },
  'literal pattern': { rule: { ...APP, refs: branches('a.b+(c)$|d') }, good: { ref: 'a.b+(c)$|d' } },
  'every ref': { rule: { group: 'acme', project: 'app' }, good: {} },
  'every ref of the group': { rule: { group: 'acme' }, good: {} },
  'children too': { rule: { group: 'acme', pipelineSources: ['push', 'parent_pipeline'] }, good: {} },
  'children of app': { rule: { ...APP, pipelineSources: ['parent_pipeline'] }, good: childPipeline() },
  'unprotected children': {
    rule: { ...APP, protectedRefsOnly: false, pipelineSources: ['push', 'parent_pipeline'] },
    good: {},
  },
  'chat and webide': {
    rule: { ...APP, pipelineSources: ['chat', 'webide', 'trigger'] },
    good: { pipeline_source: 'chat' },
  },
  'unprotected too': { rule: { ...APP, protectedRefsOnly: false }, good: {} },
  'pinned project': { rule: { ...APP, ids: { projectIds: ['20', '30'] } }, good: {} },
  'pinned namespace': { rule: { ...APP, ids: { namespaceIds: ['72'] } }, good: {} },
  subgroup: { rule: { ...APP, group: 'acme/sub', project: '' }, good: { project_path: 'acme/sub/x' } },
  user: { rule: { ...APP, group: 'jane', project: 'tool' }, good: { project_path: 'jane/tool' } },
  kilo: { rule: { ...APP, group: 'kilo', project: 'skip' }, good: { project_path: 'kilo/skip' } },
  environment: {
    rule: { ...APP, claims: { environment: ['production', 'live'] } },
    good: { environment: 'live' },
  },
} as const satisfies Record<string, { rule: object; good: Claims }>

export type Row = readonly [
  name: string,
  claims: Claims,
  expected: Expected,
  more?: { readonly rule?: keyof typeof RULES; readonly version?: GitlabVersion; readonly says?: RegExp },
]

const NEEDS_18_4 = /18\.4.*18\.2 or 18\.3/
const ODD_VALUES = {
  'an array': ['main'],
  'an object': { a: 'main' },
  null: null,
  'a number': 20,
  true: true,
}

export const ROWS: readonly Row[] = [
  ['the path of the rule', {}, 'allowed'],
  ['the path in another case', { project_path: 'ACME/App' }, 'allowed'],
  ['a namespace that only begins alike', { project_path: 'acme-evil/app' }, 'outside'],
  ['a namespace that only ends alike', { project_path: 'xacme/app' }, 'outside'],
  ['a namespace below another of that name', { project_path: 'evil/acme/app' }, 'outside'],
  ['a namespace with a slash at its end', { namespace_path: 'acme/' }, 'outside'],
  ['a namespace with a slash at its start', { namespace_path: '/acme' }, 'outside'],
  ['a namespace with an empty segment', { namespace_path: 'acme//sub' }, 'outside'],
  ['a namespace with a space', { namespace_path: 'acme ' }, 'outside'],
  ['an empty namespace', { namespace_path: '' }, 'outside'],
  ['no namespace', { namespace_path: undefined }, 'outside'],
  ['a namespace that is no text', { namespace_path: ['acme'] }, 'outside'],
  ['a namespace that is null', { namespace_path: null }, 'outside'],
  ['a namespace that is an object', { namespace_path: { acme: true } }, 'outside'],
  [
    'a good group whose project is elsewhere',
    { project_path: 'evil/app', namespace_path: 'acme' },
    ['project'],
  ],
  ['a project that only begins alike', { project_path: 'acme/app2' }, ['project']],
  ['a project of that name in a subgroup', { project_path: 'acme/sub/app' }, ['project']],
  ['no project', { project_path: undefined, namespace_path: 'acme' }, ['project']],
  ['any project, where the rule names none', { project_path: 'acme/anything' }, 'allowed', { rule: 'group' }],
  [
    'a project far below, where the rule names none',
    { project_path: 'acme/sub/deep/x' },
    'allowed',
    { rule: 'group' },
  ],
  ['a project path below the group', { project_path: 'acme/sub/app' }, 'allowed', { rule: 'sub/app' }],
  ['the last segment of it alone', {}, ['project'], { rule: 'sub/app' }],
  ['a Kelvin sign for the letter k', { project_path: '\u212Ailo/skip' }, 'outside', { rule: 'kilo' }],
  ['a long s for the letter s', { project_path: 'kilo/\u017Fkip' }, ['project'], { rule: 'kilo' }],
  ['a dotted capital I for the letter i', { project_path: 'k\u0130lo/skip' }, 'outside', { rule: 'kilo' }],

  ['a tag named like the branch', tag('main'), ['ref']],
  ['a branch named like the tags', { ref: 'v1.0' }, ['ref']],
  ['a protected tag', tag('v1.0'), 'allowed'],
  ['a tag where * is empty', tag('v'), 'allowed'],
  ['a tag with a further segment', tag('v1/0'), ['ref'], { says: /'v\/\*\*'|v/ }],
  ['the branch in another case', { ref: 'Main' }, ['ref']],
  ['another branch', { ref: 'maintenance' }, ['ref']],
  ['the full ref as ref', { ref: 'refs/heads/main', ref_path: 'refs/heads/main' }, ['ref']],
  ['a ref_path of a tag beside a branch', { ref_path: 'refs/tags/main' }, ['ref']],
  ['a ref_path of a branch beside a tag', tag('v1', { ref_path: 'refs/heads/v1' }), ['ref']],
  ['a ref that is not the end of ref_path', { ref_path: 'refs/heads/other' }, ['ref']],
  ['a ref_path that only ends in the ref', { ref_path: 'refs/heads/evil/main' }, ['ref']],
  ['an empty ref_path', { ref_path: '' }, ['ref']],
  ['a ref_path that is null', { ref_path: null }, ['ref']],
  ['no ref_path, on the branch', { ref_path: undefined }, 'allowed'],
  ['no ref_path, on a tag named like the branch', tag('main', { ref_path: undefined }), ['ref']],
  ['no ref', { ref: undefined }, ['ref']],
  ['an empty ref', { ref: '' }, ['ref']],
  ['no ref_type', { ref_type: undefined }, ['ref']],
  ['an unknown ref_type', { ref_type: 'heads' }, ['ref']],
  ['a ref_type in another case', { ref_type: 'Branch' }, ['ref']],
  [
    'an empty ref, where every ref will do',
    { ref: '', ref_path: 'refs/heads/' },
    ['ref'],
    { rule: 'every ref' },
  ],
  ['a ref_type that is neither, where every ref will do', { ref_type: 'x' }, ['ref'], { rule: 'every ref' }],
  ['a branch in one segment', { ref: 'release/1' }, 'allowed', { rule: 'release/*' }],
  ['a branch in two segments', { ref: 'release/1/2' }, ['ref'], { rule: 'release/*', says: /release\/\*\*/ }],
  ['the first segment alone', { ref: 'release' }, ['ref'], { rule: 'release/*' }],
  ['an empty second segment', { ref: 'release/' }, ['ref'], { rule: 'release/*' }],
  ['a segment that only begins alike', { ref: 'release-1' }, ['ref'], { rule: 'release/*' }],
  ['one segment below', { ref: 'a/b' }, 'allowed', { rule: 'a/**' }],
  ['two segments below', { ref: 'a/b/c' }, 'allowed', { rule: 'a/**' }],
  ['none below', { ref: 'a' }, ['ref'], { rule: 'a/**' }],
  ['an empty segment below', { ref: 'a/' }, ['ref'], { rule: 'a/**' }],
  ['an empty segment in between', { ref: 'a//b' }, ['ref'], { rule: 'a/**' }],
  ['text around the dot', { ref: 'v1.2' }, 'allowed', { rule: 'v*.*' }],
  ['no dot', { ref: 'v1' }, ['ref'], { rule: 'v*.*' }],
  ['nothing around the dot', { ref: 'v.' }, 'allowed', { rule: 'v*.*' }],
  ['another character for the dot', { ref: 'v1x2' }, ['ref'], { rule: 'v*.*' }],
  ['the pattern to the letter', {}, ['ref'], { rule: 'literal pattern' }],
  [
    'what the pattern would be as a regular expression',
    { ref: 'aXbbc' },
    ['ref'],
    { rule: 'literal pattern' },
  ],
  ['half of what it would be', { ref: 'd' }, ['ref'], { rule: 'literal pattern' }],

  ['a ref that is not protected', { ref_protected: 'false' }, ['protected_ref']],
  ['a ref_protected that is false', { ref_protected: false }, ['protected_ref']],
  ['a ref_protected that is true but no text', { ref_protected: true }, ['protected_ref']],
  ['a ref_protected in another case', { ref_protected: 'True' }, ['protected_ref']],
  ['a ref_protected that is 1', { ref_protected: 1 }, ['protected_ref']],
  ['no ref_protected', { ref_protected: undefined }, ['protected_ref']],
  [
    'a ref that is not protected, where that is not asked',
    { ref_protected: 'false' },
    'allowed',
    { rule: 'unprotected too' },
  ],

  [
    'a merge request from the branch of the rule',
    mergeRequest({ ref: 'main' }),
    ['protected_ref', 'merge_request'],
  ],
  [
    'a merge request between protected branches',
    mergeRequest({ ref: 'main', ref_protected: 'true' }),
    ['merge_request'],
  ],
  ['a merge request from any branch', mergeRequest(), ['ref', 'protected_ref', 'merge_request']],
  ['a merge request, where refs are empty', mergeRequest(), 'allowed', { rule: 'every ref' }],
  [
    'a merge request of a fork outside the group',
    forkMergeRequest('mallory/app'),
    'outside',
    { rule: 'every ref of the group' },
  ],
  [
    'a merge request of a fork inside the group',
    forkMergeRequest('acme/forks/app'),
    ['fork'],
    { rule: 'every ref of the group' },
  ],
  [
    'the child pipeline of the former',
    childPipeline(forkMergeRequest('mallory/app')),
    'outside',
    { rule: 'every ref of the group' },
  ],
  [
    'the child pipeline of the latter',
    childPipeline(forkMergeRequest('acme/forks/app')),
    ['fork', 'pipeline_source'],
    { rule: 'every ref of the group' },
  ],
  [
    'the former, where children are listed',
    childPipeline(forkMergeRequest('mallory/app')),
    'outside',
    { rule: 'children too' },
  ],
  [
    'the latter, where children are listed',
    childPipeline(forkMergeRequest('acme/forks/app')),
    ['fork'],
    { rule: 'children too' },
  ],
  ['a fork of the project, on its own protected main', { project_id: '21', job_project_id: '20' }, ['fork']],

  ...['push', 'web', 'schedule', 'api'].map(
    (source): Row => [
      `no job_project_id, started by ${source}`,
      { pipeline_source: source },
      'allowed',
      { version: '18.1' },
    ],
  ),
  ...['chat', 'webide'].map(
    (source): Row => [
      `no job_project_id, started by ${source}`,
      { pipeline_source: source },
      'allowed',
      { version: '18.1', rule: 'chat and webide' },
    ],
  ),
  [
    'no job_project_id, started by trigger',
    { pipeline_source: 'trigger' },
    ['fork'],
    { version: '18.1', rule: 'chat and webide', says: NEEDS_18_4 },
  ],
  [
    'no job_project_id, a merge request',
    mergeRequest(),
    ['fork'],
    { version: '18.2', rule: 'every ref', says: NEEDS_18_4 },
  ],
  [
    'no job_project_id, a child pipeline',
    childPipeline(),
    ['fork'],
    { version: '18.2', rule: 'children too', says: NEEDS_18_4 },
  ],
  ['a job_project_id that is a number', { job_project_id: 20 }, ['fork']],
  ['a job_project_id that is null', { job_project_id: null }, ['fork']],
  ['a job_project_id that is empty, like project_id', { job_project_id: '', project_id: '' }, ['fork']],
  ['a job_project_id and project_id that are numbers', { job_project_id: 20, project_id: 20 }, ['fork']],
  ['a job_project_id of another project', { job_project_id: '21' }, ['fork']],
  ['a job_project_id and no project_id', { project_id: undefined }, ['fork']],

  ['a child pipeline that is not listed', childPipeline(), ['pipeline_source']],
  [
    'a child pipeline that is listed, on a protected ref',
    childPipeline(),
    'allowed',
    { rule: 'unprotected children' },
  ],
  [
    'the same on an unprotected ref',
    childPipeline({ ref_protected: 'false' }),
    ['merge_request'],
    { rule: 'unprotected children' },
  ],
  [
    'the same without ref_protected',
    childPipeline({ ref_protected: undefined }),
    ['merge_request'],
    { rule: 'unprotected children' },
  ],
  [
    'the same with a ref_protected that is true',
    childPipeline({ ref_protected: true }),
    ['merge_request'],
    { rule: 'unprotected children' },
  ],
  [
    'an unprotected child where only protected refs will do',
    childPipeline({ ref_protected: 'false' }),
    ['protected_ref', 'merge_request'],
    { rule: 'children of app' },
  ],
  ['a push, where only children are listed', {}, ['pipeline_source'], { rule: 'children of app' }],
  ...['trigger', 'pipeline', 'external_pull_request_event', 'chat', 'webide', 'PUSH', 'push ', ''].map(
    (source): Row => [
      `the source '${source}', which is not listed`,
      { pipeline_source: source },
      ['pipeline_source'],
    ],
  ),
  ['no pipeline_source', { pipeline_source: undefined }, ['merge_request', 'pipeline_source']],
  ['a list of sources', { pipeline_source: ['push'] }, ['merge_request', 'pipeline_source']],

  ['the project whose id is pinned', {}, 'allowed', { rule: 'pinned project' }],
  ['its id as a number', { project_id: 20 }, ['fork', 'project_id'], { rule: 'pinned project' }],
  ['its id with a zero before it', { project_id: '020' }, ['project_id'], { rule: 'pinned project' }],
  ['no id', { project_id: undefined, job_project_id: undefined }, ['project_id'], { rule: 'pinned project' }],
  [
    'the same path registered anew',
    { project_id: '31' },
    ['project_id'],
    { rule: 'pinned project', says: /registered anew/ },
  ],
  [
    'the same project renamed',
    { project_path: 'acme/application' },
    ['project'],
    { rule: 'pinned project', says: /renamed/ },
  ],
  ['the namespace whose id is pinned', {}, 'allowed', { rule: 'pinned namespace' }],
  [
    'another namespace of the same path',
    { namespace_id: '73' },
    ['namespace_id'],
    { rule: 'pinned namespace' },
  ],
  ['its id as a number', { namespace_id: 72 }, ['namespace_id'], { rule: 'pinned namespace' }],

  ...Object.entries(ODD_VALUES).flatMap(([what, value]): readonly Row[] => [
    [`project_path is ${what}`, { project_path: value, namespace_path: 'acme' }, ['project']],
    [`ref is ${what}`, { ref: value }, ['ref']],
    [`ref_type is ${what}`, { ref_type: value }, ['ref']],
    [`ref_path is ${what}`, { ref_path: value }, ['ref']],
    [`pipeline_source is ${what}`, { pipeline_source: value }, ['merge_request', 'pipeline_source']],
    [`environment is ${what}`, { environment: value }, ['claim:environment'], { rule: 'environment' }],
    [`sub is ${what}`, { sub: value }, 'token_claims'],
    [`jti is ${what}`, { jti: value }, 'token_claims'],
    [`iss is ${what}`, { iss: value }, 'token_issuer'],
    ...(what === 'a number'
      ? []
      : ([
          [`exp is ${what}`, { exp: value }, 'token_claims'],
          [`iat is ${what}`, { iat: value }, 'token_claims'],
        ] as const)),
    ...(what === 'an array' ? [] : ([[`aud is ${what}`, { aud: value }, 'token_claims']] as const)),
  ]),

  [
    'the group of the rule, where it is a subgroup',
    { project_path: 'acme/sub/app' },
    'allowed',
    { rule: 'subgroup' },
  ],
  ['a group below it', { project_path: 'acme/sub/x/app' }, 'allowed', { rule: 'subgroup' }],
  ['the group above it', {}, 'outside', { rule: 'subgroup' }],
  ['a group beside it', { project_path: 'acme/subs/app' }, 'outside', { rule: 'subgroup' }],
  ["a user's own project", { project_path: 'jane/tool' }, 'allowed', { rule: 'user' }],
  ["another user's", { project_path: 'janet/tool' }, 'outside', { rule: 'user' }],
  ['the environment of the rule', { environment: 'production' }, 'allowed', { rule: 'environment' }],
  ['another environment', { environment: 'Production' }, ['claim:environment'], { rule: 'environment' }],
  [
    'no environment',
    {},
    ['claim:environment'],
    { rule: 'environment', says: /environment is not in the token/ },
  ],

  ...(['15.7', '16', '18.1', '18.2', '18.2 with job_project', '18.4', '18.9'] as const).flatMap(
    (version): readonly Row[] => {
      const tellsForks = ['18.2 with job_project', '18.4', '18.9'].includes(version)
      const says = tellsForks ? {} : { says: NEEDS_18_4 }
      return [
        [`a push, GitLab ${version}`, {}, 'allowed', { version }],
        [`a tag, GitLab ${version}`, tag('v1'), 'allowed', { version }],
        [`another branch, GitLab ${version}`, { ref: 'other' }, ['ref'], { version }],
        [
          `a merge request, GitLab ${version}`,
          mergeRequest(),
          tellsForks ? 'allowed' : ['fork'],
          { version, rule: 'every ref', ...says },
        ],
        [
          `a child pipeline, GitLab ${version}`,
          childPipeline(),
          tellsForks ? 'allowed' : ['fork'],
          { version, rule: 'children too', ...says },
        ],
      ]
    },
  ),
]
