import { closedPullRequest, pullRequest } from '../support/github-claims.ts'
import type { Claims } from '../support/gitlab-claims.ts'
import type { Expected } from './claims-outcome.ts'

const APP = {
  group: 'acme',
  project: 'app',
  refs: [
    { type: 'BRANCH', pattern: 'main' },
    { type: 'TAG', pattern: 'v*' },
  ],
}
const SHARED_WORKFLOW = 'acme/shared/.github/workflows/deploy.yml@refs/heads/main'

/** Each rule with what a token that it admits says otherwise than the push to main of acme/app. */
export const RULES = {
  app: { rule: APP, good: {} },
  owner: { rule: { group: 'acme' }, good: {} },
  'every ref': { rule: { group: 'acme', project: 'app' }, good: {} },
  'unprotected too': { rule: { ...APP, protectedRefsOnly: false }, good: {} },
  'release/*': {
    rule: { ...APP, refs: [{ type: 'BRANCH', pattern: 'release/*' }] },
    good: { ref: 'refs/heads/release/1' },
  },
  'v*.*': { rule: { ...APP, refs: [{ type: 'TAG', pattern: 'v*.*' }] }, good: { ref: 'refs/tags/v1.2' } },
  releases: { rule: { ...APP, pipelineSources: ['release'] }, good: { event_name: 'release' } },
  'pinned repository': { rule: { ...APP, ids: { projectIds: ['20', '30'] } }, good: {} },
  'pinned owner': { rule: { group: 'acme', ids: { namespaceIds: ['72'] } }, good: {} },
  kilo: { rule: { ...APP, group: 'kilo', project: 'skip' }, good: { repository: 'kilo/skip' } },
  environment: {
    rule: { ...APP, claims: { environment: ['production', 'live'] } },
    good: { environment: 'live' },
  },
  'reusable workflow': {
    rule: { ...APP, claims: { job_workflow_ref: [SHARED_WORKFLOW] } },
    good: { job_workflow_ref: SHARED_WORKFLOW },
  },
  property: {
    rule: { ...APP, claims: { repo_property_tier: ['1'] } },
    good: { repo_property_tier: '1' },
  },
  actor: { rule: { ...APP, claims: { actor: ['sample-user'] } }, good: undefined },
} as const satisfies Record<string, { rule: object; good: Claims | undefined }>

export type Row = readonly [
  name: string,
  claims: Claims,
  expected: Expected,
  more?: { readonly rule?: keyof typeof RULES; readonly says?: RegExp },
]

const NEVER = ['merge_request', 'fork', 'pipeline_source']
const ODD_VALUES = {
  'an array': ['refs/heads/main'],
  'an object': { a: 'main' },
  null: null,
  'a number': 20,
  true: true,
}

export const ROWS: readonly Row[] = [
  ['the repository of the rule', {}, 'allowed'],
  ['its name in another case', { repository: 'ACME/App' }, 'allowed'],
  ['an owner that only begins alike', { repository: 'acme-evil/app' }, 'outside'],
  ['an owner that only ends alike', { repository: 'xacme/app' }, 'outside'],
  ['an owner with a slash at its end', { repository_owner: 'acme/' }, 'outside'],
  ['an owner that would be a subgroup', { repository_owner: 'acme/sub' }, 'outside', { rule: 'owner' }],
  ['an owner with a space', { repository_owner: 'acme ' }, 'outside'],
  ['an empty owner', { repository_owner: '' }, 'outside'],
  ['no owner', { repository_owner: undefined }, 'outside'],
  ['a repository of that name of another owner', { repository: 'mallory/app' }, 'outside'],
  [
    'a good owner whose repository is elsewhere',
    { repository: 'evil/app', repository_owner: 'acme' },
    ['project'],
  ],
  ['a repository that only begins alike', { repository: 'acme/app2' }, ['project']],
  ['a repository without its owner', { repository: 'app', repository_owner: 'acme' }, ['project']],
  ['no repository', { repository: undefined }, ['project']],
  [
    'any repository, where the rule names none',
    { repository: 'acme/anything' },
    'allowed',
    { rule: 'owner' },
  ],
  ['a Kelvin sign for the letter k', { repository: '\u212Ailo/skip' }, 'outside', { rule: 'kilo' }],
  ['a long s for the letter s', { repository: 'kilo/\u017Fkip' }, ['project'], { rule: 'kilo' }],

  ['a tag named like the branch', { ref: 'refs/tags/main' }, ['ref']],
  ['a branch named like the tags', { ref: 'refs/heads/v1.0' }, ['ref']],
  ['a protected tag', { ref: 'refs/tags/v1.0' }, 'allowed'],
  ['the branch in another case', { ref: 'refs/heads/Main' }, ['ref']],
  ['another branch', { ref: 'refs/heads/maintenance' }, ['ref']],
  ['the name alone as ref', { ref: 'main', ref_type: 'branch' }, ['ref']],
  ['a tag that says branch', { ref: 'refs/tags/v1.0', ref_type: 'branch' }, ['ref']],
  ['a branch that says tag', { ref_type: 'tag' }, ['ref']],
  ['a ref that only ends in the branch', { ref: 'refs/heads/evil/main' }, ['ref']],
  ['the prefix twice', { ref: 'refs/heads/refs/heads/main' }, ['ref']],
  ['no ref', { ref: undefined, ref_type: 'branch' }, ['ref']],
  ['an empty ref', { ref: '' }, ['ref']],
  ['a ref of no name, where every ref will do', { ref: 'refs/heads/' }, ['ref'], { rule: 'every ref' }],
  ['no ref_type', { ref_type: undefined }, ['ref']],
  ['a ref_type in another case', { ref_type: 'Branch' }, ['ref']],
  ['a branch in one segment', { ref: 'refs/heads/release/1' }, 'allowed', { rule: 'release/*' }],
  [
    'a branch in two segments',
    { ref: 'refs/heads/release/1/2' },
    ['ref'],
    { rule: 'release/*', says: /'release\/\*\*' would match/ },
  ],
  ['text around the dot', { ref: 'refs/tags/v1.2' }, 'allowed', { rule: 'v*.*' }],
  ['another character for the dot', { ref: 'refs/tags/v1x2' }, ['ref'], { rule: 'v*.*' }],

  ['a ref that is not protected', { ref_protected: 'false' }, ['protected_ref'], { says: /in GitHub/ }],
  ['a ref_protected that is true but no text', { ref_protected: true }, ['protected_ref']],
  ['a ref_protected that is false', { ref_protected: false }, ['protected_ref']],
  ['no ref_protected', { ref_protected: undefined }, ['protected_ref']],
  [
    'a ref that is not protected, where that is not asked',
    { ref_protected: 'false' },
    'allowed',
    { rule: 'unprotected too' },
  ],

  [
    'a pull request, of a fork or not',
    pullRequest(),
    ['ref', 'protected_ref', 'merge_request', 'fork', 'pipeline_source'],
    { says: /pull requests are never admitted/ },
  ],
  [
    'a pull request, where every ref will do',
    pullRequest(),
    ['ref', 'merge_request', 'fork', 'pipeline_source'],
    { rule: 'every ref' },
  ],
  ['a closed pull request, whose ref is the branch', closedPullRequest(), NEVER],
  [
    'a pull request that does not name its branches',
    { event_name: 'pull_request', head_ref: '', base_ref: '' },
    NEVER,
  ],
  ['pull_request_target', closedPullRequest({ event_name: 'pull_request_target' }), NEVER],
  [
    'pull_request_target in a push to main in all else',
    { event_name: 'pull_request_target' },
    NEVER,
    { rule: 'owner' },
  ],
  ['pull_request_review', closedPullRequest({ event_name: 'pull_request_review' }), NEVER],
  ['workflow_run', { event_name: 'workflow_run' }, NEVER, { says: /may follow the pull request of a fork/ }],
  ['workflow_run, where every ref will do', { event_name: 'workflow_run' }, NEVER, { rule: 'owner' }],
  ['a push that names the branch of a pull request', { head_ref: 'feature' }, ['fork']],
  ['a head_ref that is null', { head_ref: null }, ['fork']],
  ['no head_ref', { head_ref: undefined }, 'allowed'],
  ['a fork of the repository, on its own protected main', { repository: 'mallory/app' }, 'outside'],

  ...['workflow_dispatch', 'schedule'].map(
    (event): Row => [`started by ${event}`, { event_name: event }, 'allowed'],
  ),
  ...['release', 'issue_comment', 'merge_group', 'repository_dispatch', 'PUSH', 'push ', ''].map(
    (event): Row => [`the event '${event}', which is not listed`, { event_name: event }, ['pipeline_source']],
  ),
  ['an event that is listed', { event_name: 'release' }, 'allowed', { rule: 'releases' }],
  ['a push, where it is not listed', {}, ['pipeline_source'], { rule: 'releases' }],
  ['no event', { event_name: undefined }, NEVER],
  ['a list of events', { event_name: ['push'] }, NEVER],

  ['the repository whose id is pinned', {}, 'allowed', { rule: 'pinned repository' }],
  ['its id as a number', { repository_id: 20 }, ['project_id'], { rule: 'pinned repository' }],
  ['no id', { repository_id: undefined }, ['project_id'], { rule: 'pinned repository' }],
  [
    'the same name registered anew',
    { repository_id: '31' },
    ['project_id'],
    { rule: 'pinned repository', says: /registered anew/ },
  ],
  [
    'the same repository renamed',
    { repository: 'acme/application' },
    ['project'],
    { rule: 'pinned repository', says: /renamed/ },
  ],
  [
    'any repository of the owner whose id is pinned',
    { repository: 'acme/x' },
    'allowed',
    { rule: 'pinned owner' },
  ],
  [
    'the name of the owner registered anew',
    { repository_owner_id: '73' },
    ['namespace_id'],
    { rule: 'pinned owner' },
  ],
  ["the owner's id as a number", { repository_owner_id: 72 }, ['namespace_id'], { rule: 'pinned owner' }],

  ['a sub with ids', { sub: 'repo:acme@72/app@20:ref:refs/heads/main' }, 'allowed'],
  ['a sub of another repository', { sub: 'repo:evil/evil:environment:production' }, 'allowed'],
  [
    'a sub of this repository in a token of another',
    { repository: 'evil/evil', sub: 'repo:acme@72/app@20:ref:refs/heads/main' },
    'outside',
  ],
  ['a sub that was customised', { sub: 'repository_owner:acme' }, 'allowed'],

  ['the environment of the rule', { environment: 'production' }, 'allowed', { rule: 'environment' }],
  [
    'no environment',
    {},
    ['claim:environment'],
    { rule: 'environment', says: /environment is not in the token/ },
  ],
  ['an environment in another case', { environment: 'Live' }, ['claim:environment'], { rule: 'environment' }],
  [
    'a reusable workflow of somebody else, where that is not asked',
    { job_workflow_ref: 'evil/x/.github/workflows/x.yml@refs/heads/main' },
    'allowed',
  ],
  [
    'a reusable workflow at another ref',
    { job_workflow_ref: `${SHARED_WORKFLOW}tenance` },
    ['claim:job_workflow_ref'],
    { rule: 'reusable workflow' },
  ],
  ['a custom property', { repo_property_tier: '1' }, 'allowed', { rule: 'property' }],
  ['another value of it', { repo_property_tier: '2' }, ['claim:repo_property_tier'], { rule: 'property' }],
  ['who started it, which is dropped', {}, ['claim:actor'], { rule: 'actor', says: /recordedClaims/ }],

  ...Object.entries(ODD_VALUES).flatMap(([what, value]): readonly Row[] => [
    [`repository_owner is ${what}`, { repository_owner: value }, 'outside'],
    [`repository is ${what}`, { repository: value }, ['project']],
    [`ref is ${what}`, { ref: value, ref_type: 'branch' }, ['ref']],
    [`ref_type is ${what}`, { ref_type: value }, ['ref']],
    [`event_name is ${what}`, { event_name: value }, NEVER],
    [`head_ref is ${what}`, { head_ref: value }, ['fork']],
    [`environment is ${what}`, { environment: value }, ['claim:environment'], { rule: 'environment' }],
    [`sub is ${what}`, { sub: value }, 'token_claims'],
    [`jti is ${what}`, { jti: value }, 'token_claims'],
  ]),
]
