import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findContradictions } from '../../src/identity/find-contradictions.ts'
import { parseWorkloadIdentity } from '../../src/identity/parse-workload-identity.ts'
import type { Rule } from '../../src/identity/rule.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { ruleWith } from '../policy/policy-world.ts'
import { bodyWith, context } from './sample-bodies.ts'

type Case = readonly [name: string, changes: Partial<Rule>, why: RegExp | undefined]

const MAIN = [{ type: 'BRANCH', pattern: 'main' }] as const
const RELEASES = [
  { type: 'BRANCH', pattern: 'release/**' },
  { type: 'TAG', pattern: 'v*' },
] as const
const EVERY_REF = { refs: [], protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' } as const
const asking = (name: string, ...values: readonly string[]) => ({ claims: { [name]: values } })

describe('a rule of GitLab can never be met', () => {
  const CASES: readonly Case[] = [
    [
      'merge requests, which refs exclude',
      asking('pipeline_source', 'merge_request_event'),
      /mergeRequests is NONE, .*: for them write a rule with empty refs/,
    ],
    [
      'merge requests, which are excluded without refs',
      { ...EVERY_REF, mergeRequests: 'NONE', ...asking('pipeline_source', 'merge_request_event') },
      /mergeRequests is NONE, .*: set it to SAME_PROJECT/,
    ],
    [
      'merge requests that are admitted',
      { ...EVERY_REF, ...asking('pipeline_source', 'merge_request_event') },
      undefined,
    ],
    ['merge requests or a push', asking('pipeline_source', 'merge_request_event', 'push'), undefined],
    ['a source that is not listed', asking('pipeline_source', 'trigger'), /pipelineSources has none/],
    [
      'a source that is listed',
      { pipelineSources: ['trigger'], ...asking('pipeline_source', 'trigger') },
      undefined,
    ],
    ['another branch', { refs: MAIN, ...asking('ref', 'dev') }, /refs has no branch or tag/],
    ['the same branch', { refs: MAIN, ...asking('ref', 'dev', 'main') }, undefined],
    ['a branch of a pattern', { refs: RELEASES, ...asking('ref', 'release/1/2') }, undefined],
    ['a branch beside a pattern', { refs: RELEASES, ...asking('ref', 'release') }, /refs has no/],
    ['a branch where all are', { ...EVERY_REF, ...asking('ref', 'dev') }, undefined],
    ['the path of another branch', { refs: MAIN, ...asking('ref_path', 'refs/heads/dev') }, /refs has no/],
    ['the path of a tag', { refs: MAIN, ...asking('ref_path', 'refs/tags/main') }, /refs has no/],
    ['the path of the branch', { refs: MAIN, ...asking('ref_path', 'refs/heads/main') }, undefined],
    [
      'a name and the path of another',
      { ...EVERY_REF, claims: { ref: ['a'], ref_path: ['refs/heads/b'] } },
      /this is none/,
    ],
    [
      'the ref of a merge request',
      { ...EVERY_REF, ...asking('ref_path', 'refs/merge-requests/1/head') },
      /a job runs on a branch or tag/,
    ],
    ['tags, which refs exclude', { refs: MAIN, ...asking('ref_type', 'tag') }, /refs has no/],
    ['tags, which refs have', { refs: RELEASES, ...asking('ref_type', 'tag') }, undefined],
    [
      'a tag by the name of a branch',
      { refs: RELEASES, claims: { ref_type: ['tag'], ref: ['release/1'] } },
      /refs has no/,
    ],
    ['unprotected refs', asking('ref_protected', 'false'), /protectedRefsOnly is true/],
    [
      'unprotected refs that are admitted',
      { protectedRefsOnly: false, ...asking('ref_protected', 'false') },
      undefined,
    ],
    ['another group', asking('namespace_path', 'other'), /its group is 'acme'/],
    ['a group below', { project: '', ...asking('namespace_path', 'ACME/web') }, undefined],
    ['another project', asking('project_path', 'acme/web'), /it is of 'acme\/app' alone/],
    ['the project', asking('project_path', 'Acme/App'), undefined],
    ['a project of the group', { project: '', ...asking('project_path', 'acme/web/app') }, undefined],
    [
      'another number',
      { ids: { projectIds: ['20'], namespaceIds: [] }, ...asking('project_id', '21') },
      /ids\.projectIds/,
    ],
    [
      'the number',
      { ids: { projectIds: ['20'], namespaceIds: [] }, ...asking('project_id', '20') },
      undefined,
    ],
    [
      'another number of the group',
      { ids: { projectIds: [], namespaceIds: ['72'] }, ...asking('namespace_id', '7') },
      /ids\.namespaceIds/,
    ],
    ['what no field of it is about', asking('environment', 'production'), undefined],
  ]
  for (const [name, changes, why] of CASES) {
    test(`${why === undefined ? 'not ' : ''}where it asks for ${name}`, () => {
      const rule = ruleWith(changes)

      const found = findContradictions(rule, PROVIDERS.GITLAB)

      assert.equal(found.length, why === undefined ? 0 : 1)
      for (const { path, message } of found) {
        assert.deepEqual([path[0], Object.hasOwn(rule.claims, path[1] ?? '')], ['claims', true])
        assert.match(message, /^the rule can never be met: /)
        assert.match(message, why ?? /^$/)
      }
    })
  }
})

describe('a rule of GitHub can never be met', () => {
  const CASES: readonly Case[] = [
    ['pull requests', asking('event_name', 'pull_request'), /'pull_request' is never admitted/],
    [
      'pull requests of a kind that nobody knows yet',
      asking('event_name', 'pull_request_merged'),
      /'pull_request_merged' is never admitted/,
    ],
    ['an event that is not listed', asking('event_name', 'release'), /pipelineSources has none/],
    ['a push', asking('event_name', 'push'), undefined],
    ['another branch', { refs: MAIN, ...asking('ref', 'refs/heads/dev') }, /refs has no/],
    ['the branch', { refs: MAIN, ...asking('ref', 'refs/heads/main') }, undefined],
    ['a group below, which there is not', asking('repository_owner', 'acme/web'), /its group is 'acme'/],
  ]
  for (const [name, changes, why] of CASES) {
    test(`${why === undefined ? 'not ' : ''}where it asks for ${name}`, () => {
      const rule = ruleWith({ pipelineSources: PROVIDERS.GITHUB.sources.usual, ...changes })

      const found = findContradictions(rule, PROVIDERS.GITHUB)

      assert.equal(found.length, why === undefined ? 0 : 1)
      for (const { message } of found) assert.match(message, why ?? /^$/)
    })
  }
})

test('that a rule can never be met is a notice of every save', () => {
  const refs = [{ type: 'BRANCH', pattern: 'main' }]
  const parsed = parseWorkloadIdentity(bodyWith({ refs, claims: { ref: ['dev'] } }), context)

  assert.ok(parsed.ok)
  assert.deepEqual(parsed.notices, [
    'workloadIdentityConfig.rules[0].claims.ref: the rule can never be met: refs has no branch or tag that this asks for',
  ])
})
