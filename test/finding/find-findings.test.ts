import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Membership } from '../../src/access/iam-policy.ts'
import { findFindings } from '../../src/finding/find-findings.ts'
import { FINDING_GRADES, type FindingCode } from '../../src/finding/finding.ts'
import type { Rule } from '../../src/identity/rule.ts'
import type { WorkloadIdentitySpec } from '../../src/identity/workload-identity.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { ruleWith } from '../policy/policy-world.ts'

const PINNED = { projectIds: ['20'], namespaceIds: [] }
/** Of which nothing is to be said. */
const NARROW = ruleWith({ ids: PINNED })
const EVERY_REF = { refs: [], protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' } as const

function specWith(rules: readonly Rule[], changes: Partial<WorkloadIdentitySpec> = {}): WorkloadIdentitySpec {
  return {
    title: 'Deploy',
    tokenLifetimeSeconds: 900,
    subjectTokenUse: 'ONCE',
    tokenAudiences: [],
    recordedClaims: [],
    tests: [],
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl: 'https://gitlab.com',
      allowedAudiences: ['https://claimgate.example.com'],
      rules,
    },
    ...changes,
  }
}

const found = (
  rules: readonly Rule[],
  changes?: Partial<WorkloadIdentitySpec>,
  projectId: string | null = null,
  memberships: readonly Membership[] = [],
) =>
  findFindings(specWith(rules, changes), {
    projectId,
    memberships,
    administrativeRoles: ['roles/workspaceAdmin', 'roles/policyAuthor'],
    publicUrl: 'https://claimgate.example.com',
  })
const codes = (...args: Parameters<typeof found>) => found(...args).map(({ code }) => code)

/** Of GitHub alone. */
function foreignWorkflow() {
  const rule = {
    ...NARROW,
    claims: { job_workflow_ref: ['other/ci/.github/workflows/x.yml@refs/heads/main'] },
  }
  return found([], {
    workloadIdentityConfig: {
      providerType: 'GITHUB',
      issuerUrl: 'https://token.actions.githubusercontent.com',
      allowedAudiences: ['https://claimgate.example.com'],
      rules: [rule],
    },
  })
}

describe('the findings of an identity', () => {
  test('are none where one project, named refs that are protected, its number and its own audience are asked for', () => {
    assert.deepEqual(found([NARROW]), [])
  })

  test('are all of the breadth that the least rule has, the worst first', () => {
    const all = found([ruleWith({ ...EVERY_REF, project: '' })])

    assert.deepEqual(
      all.map(({ code }) => code),
      ['whole_group_open', 'no_project', 'all_refs', 'unprotected_refs', 'merge_requests', 'no_id_pinned'],
    )
    for (const { rule } of all) assert.equal(rule, 'deploy')
    assert.match(
      all[0]?.message ?? '',
      /^Every Developer of any project in 'acme' or a group below it can get in with code that nobody has reviewed/,
    )
    assert.match(all[0]?.change ?? '', /^Set project of rule 'deploy'/)
  })

  const RULES: readonly (readonly [
    name: string,
    changes: Partial<Rule>,
    expected: readonly FindingCode[],
  ])[] = [
    [
      'no project',
      { project: '', ids: { projectIds: [], namespaceIds: [] } },
      ['no_project', 'no_id_pinned'],
    ],
    ['no project but its number', { project: '' }, []],
    ['no project but its path as a claim', { project: '', claims: { project_path: ['acme/app'] } }, []],
    ['all refs', { refs: [] }, ['all_refs']],
    ['all refs but a claim of one', { refs: [], claims: { ref: ['main'] } }, []],
    ['unprotected refs', { protectedRefsOnly: false }, ['unprotected_refs']],
    ['unprotected refs but the claim', { protectedRefsOnly: false, claims: { ref_protected: ['true'] } }, []],
    [
      'a claim that lets unprotected ones in too',
      { protectedRefsOnly: false, claims: { ref_protected: ['true', 'false'] } },
      ['unprotected_refs'],
    ],
    ['merge requests', EVERY_REF, ['all_refs', 'unprotected_refs', 'merge_requests']],
    [
      'merge requests that no source admits',
      { ...EVERY_REF, claims: { pipeline_source: ['push'] } },
      ['all_refs', 'unprotected_refs'],
    ],
    [
      'merge requests alone',
      { ...EVERY_REF, claims: { pipeline_source: ['merge_request_event'] } },
      ['unprotected_refs', 'merge_requests'],
    ],
    [
      'merge requests and pushes',
      { ...EVERY_REF, claims: { pipeline_source: ['merge_request_event', 'push'] } },
      ['all_refs', 'unprotected_refs', 'merge_requests'],
    ],
    [
      'merge requests between protected branches',
      { ...EVERY_REF, project: '', protectedRefsOnly: true, ids: { projectIds: [], namespaceIds: [] } },
      ['no_project', 'all_refs', 'merge_requests', 'no_id_pinned'],
    ],
    ['no number', { ids: { projectIds: [], namespaceIds: [] } }, ['no_id_pinned']],
    ['the number of its namespace', { ids: { projectIds: [], namespaceIds: ['72'] } }, []],
    [
      'its number as a claim',
      { ids: { projectIds: [], namespaceIds: [] }, claims: { project_id: ['20'] } },
      [],
    ],
    ['a role of administrators', { roles: ['roles/policyAuthor'] }, ['administrative_role']],
    ['a role that reads', { roles: ['roles/auditor'] }, []],
    ['a source that a token starts', { pipelineSources: ['push', 'trigger'] }, ['open_source']],
    [
      'each source that others start',
      { pipelineSources: ['chat', 'external_pull_request_event'] },
      ['open_source', 'open_source'],
    ],
    [
      'sources that Developers start',
      { pipelineSources: ['webide', 'pipeline', 'parent_pipeline', 'api'] },
      [],
    ],
    ['a source that others start on GitHub alone', { pipelineSources: ['issue_comment'] }, []],
    [
      'a source that others start and its claims leave out',
      { pipelineSources: ['push', 'trigger'], claims: { pipeline_source: ['push'] } },
      [],
    ],
    [
      'a workflow of GitHub',
      { claims: { job_workflow_ref: ['other/ci/.github/workflows/x.yml@refs/heads/main'] } },
      [],
    ],
    [
      'all of it, but disabled',
      { ...EVERY_REF, project: '', roles: ['roles/workspaceAdmin'], disabled: true },
      [],
    ],
  ]
  for (const [name, changes, expected] of RULES) {
    test(`of a rule with ${name}: ${expected.join(', ') || 'none'}`, () => {
      assert.deepEqual(codes([{ ...NARROW, ...changes }]), expected)
    })
  }

  const config = specWith([NARROW]).workloadIdentityConfig
  const audiences = (...allowedAudiences: string[]) => ({
    workloadIdentityConfig: { ...config, allowedAudiences },
  })
  const SETTINGS: readonly (readonly [
    name: string,
    changes: Partial<WorkloadIdentitySpec>,
    expected: readonly FindingCode[],
  ])[] = [
    ["the issuer's URL as audience", audiences('https://gitlab.com'), ['shared_audience']],
    [
      'the same with a slash, beside ours',
      audiences('https://claimgate.example.com', 'https://GitLab.com/'),
      ['shared_audience'],
    ],
    ['the audience of another service', audiences('sigstore'), ['shared_audience']],
    ['another audience', audiences('urn:acme'), []],
    ['half an hour', { tokenLifetimeSeconds: 1800 }, []],
    ['more', { tokenLifetimeSeconds: 1801 }, ['long_lifetime']],
    ['tokens that can be used again', { subjectTokenUse: 'MANY' }, ['reusable_token']],
  ]
  for (const [name, changes, expected] of SETTINGS) {
    test(`with ${name}: ${expected.join(', ') || 'none'}`, () => {
      const all = found([NARROW], changes)

      assert.deepEqual(
        all.map(({ code }) => code),
        expected,
      )
      for (const finding of all) assert.ok(!('rule' in finding))
    })
  }

  test('of a project has its membership reached by a merge request, where the rule gives roles', () => {
    const review = { ...NARROW, ...EVERY_REF }

    assert.ok(codes([review], {}, 'web').includes('merge_request_membership'))
    assert.ok(!codes([review], {}, null).includes('merge_request_membership'))
    assert.ok(!codes([{ ...review, roles: [] }], {}, 'web').includes('merge_request_membership'))
    assert.ok(!codes([NARROW], {}, 'web').includes('merge_request_membership'))
    const [first] = found([review], {}, 'web').filter(({ code }) => code === 'merge_request_membership')
    assert.match(first?.message ?? '', /'roles\/gitopsServiceAgent' in projects\/web/)
  })

  test('tell of memberships that merge requests can reach: plain ones, and those bound to such a rule', () => {
    const review = ruleWith({ ...EVERY_REF, id: 'review', roles: [], ids: PINNED })
    const member = (rule: string, projectId = 'web') => ({ projectId, role: 'roles/agent', rule })
    const told = (...memberships: readonly Membership[]) =>
      found([NARROW, review], {}, null, memberships).filter(({ code }) => code === 'merge_request_membership')

    assert.deepEqual(told(), [])
    assert.deepEqual(told(member(NARROW.id)), [])
    assert.deepEqual(told(member('gone')), [])
    for (const rule of ['', 'review']) {
      const [first, ...others] = told(member(rule))
      assert.deepEqual([first?.rule, others], ['review', []])
      assert.match(first?.message ?? '', /can get 'roles\/agent' in projects\/web, before anybody/)
      assert.match(first?.change ?? '', /workloadIdentity:EMAIL#RULE/)
    }
    const many = Array.from({ length: 5 }, (_, index) => member('', `p-${index}`))
    assert.match(told(...many)[0]?.message ?? '', /projects\/p-2 and 2 more roles, before/)
    assert.deepEqual(
      found([{ ...review, disabled: true }], {}, null, [member('')]).map(({ code }) => code),
      [],
    )
  })

  test('tell of memberships that administer, of each rule that reaches them', () => {
    const memberships = [{ projectId: 'web', role: 'roles/policyAuthor', rule: 'other' }]
    const other = { ...NARROW, id: 'other' }
    const told = found([NARROW, other], {}, null, memberships)

    assert.deepEqual(
      told.map(({ code, rule }) => [code, rule]),
      [['administrative_role', 'other']],
    )
    assert.match(told[0]?.message ?? '', /can get 'roles\/policyAuthor' in projects\/web, and with it change/)
  })

  test('say of a rule for merge requests alone what is so, and no change that it could never be met with', () => {
    const claims = { pipeline_source: ['merge_request_event'] }
    const review = { ...NARROW, ...EVERY_REF, id: 'review', claims }
    const ofGroup = { ...review, project: '', ids: { projectIds: [], namespaceIds: [] }, roles: [] }
    const memberships = [{ projectId: 'shop', role: 'roles/agent', rule: '' }]
    const told = found([review], {}, 'web', memberships).map(({ code, message, change }) => [
      code,
      message,
      change,
    ])
    const opened = "Whoever may open a merge request from a branch of 'acme/app' can get"

    assert.deepEqual(told, [
      [
        'unprotected_refs',
        "Every Developer of 'acme/app' can get in by a merge request of a branch that nothing protects, without anybody's approval.",
        "Set protectedRefsOnly of rule 'review' to true, where merge requests between protected branches will do.",
      ],
      [
        'merge_request_membership',
        `${opened} 'roles/gitopsServiceAgent' in projects/web, before anybody has looked at it.`,
        "Take the roles of rule 'review' out, and give them by a rule with refs.",
      ],
      [
        'merge_request_membership',
        `${opened} 'roles/agent' in projects/shop, before anybody has looked at it.`,
        'Have a rule with refs be the member: workloadIdentity:EMAIL#RULE.',
      ],
      [
        'merge_requests',
        `${opened} in before anybody has looked at it.`,
        "Take rule 'review' out, unless code that nobody has reviewed may have what it gives: 'roles/gitopsServiceAgent'.",
      ],
    ])
    const [wide, ...others] = found([ofGroup])
    assert.match(
      wide?.message ?? '',
      /nobody has reviewed: from any merge request of a project's own branches\.$/,
    )
    assert.match(
      others.find(({ code }) => code === 'merge_requests')?.change ?? '',
      /what it gives: an access token without roles\.$/,
    )
  })

  test('name both fields where refs go only without merge requests', () => {
    const change = (rule: Partial<Rule>) =>
      found([{ ...NARROW, ...rule }]).find(({ code }) => code === 'all_refs')?.change ?? ''

    assert.match(change(EVERY_REF), /"pattern": "main"\}\], and mergeRequests to NONE\.$/)
    assert.match(change({ refs: [] }), /"pattern": "main"\}\]\.$/)
  })

  test('name each rule that they are about, and no other', () => {
    const all = found([
      NARROW,
      { ...NARROW, id: 'wide', protectedRefsOnly: false },
      { ...NARROW, id: 'third', refs: [] },
    ])

    assert.deepEqual(
      all.map(({ code, rule }) => [code, rule]),
      [
        ['unprotected_refs', 'wide'],
        ['all_refs', 'third'],
      ],
    )
  })

  test('are each of their grade, a sentence about people, and a change', () => {
    const wide = ruleWith({
      ...EVERY_REF,
      project: '',
      roles: ['roles/workspaceAdmin'],
      pipelineSources: ['trigger'],
    })
    const foreign = foreignWorkflow()
    const all = found(
      [wide],
      {
        ...audiences('sigstore'),
        subjectTokenUse: 'MANY',
        tokenLifetimeSeconds: 3600,
        workloadIdentityConfig: { ...config, allowedAudiences: ['sigstore'], rules: [wide] },
      },
      'web',
    )

    const every = [...all, ...foreign]
    assert.deepEqual(new Set(every.map(({ code }) => code)), new Set(Object.keys(FINDING_GRADES)))
    for (const { code, grade, message, change } of every) {
      assert.equal(grade, FINDING_GRADES[code])
      assert.match(message, /^(Every|Everybody|Whoever) [^\n]*\.$/, code)
      assert.match(change, /^(Set|Take|Have) [^\n]*[.\]]$/, code)
    }
  })
})

describe('the findings of an identity of GitHub', () => {
  const workflow = (...job_workflow_ref: readonly string[]) => ({ claims: { job_workflow_ref } })
  const GITHUB = { pipelineSources: PROVIDERS.GITHUB.sources.usual } as const
  const narrow = ruleWith({ ...GITHUB, ids: PINNED })
  const ISSUER = 'https://token.actions.githubusercontent.com'
  const ofGithub = (rule: Rule, allowedAudiences = ['https://claimgate.example.com'], issuerUrl = ISSUER) =>
    found([], {
      workloadIdentityConfig: { providerType: 'GITHUB', issuerUrl, allowedAudiences, rules: [rule] },
    })
  const codesOf = (...args: Parameters<typeof ofGithub>) => ofGithub(...args).map(({ code }) => code)

  test('are none where one repository, named refs that are protected, its number and its own audience are asked for', () => {
    assert.deepEqual(ofGithub(narrow), [])
  })

  test('are in its words: owners without groups below, repositories, write access, pages of GitHub', () => {
    const wide = ruleWith({ ...GITHUB, project: '', refs: [], protectedRefsOnly: false })
    const all = ofGithub(wide)

    assert.deepEqual(
      all.map(({ code, message, change }) => [code, message, change]),
      [
        [
          'no_project',
          "Everybody with write access to any repository of 'acme' can get in, also of what is made or moved there later.",
          `Set project of rule 'deploy' to the repository that needs it, as in "project": "my-repository".`,
        ],
        [
          'all_refs',
          "Everybody with write access to any repository of 'acme' can get in from a branch or tag of any name.",
          `Set refs of rule 'deploy' to the branches and tags that need it, as in "refs": [{"type": "BRANCH", "pattern": "main"}].`,
        ],
        [
          'unprotected_refs',
          "Everybody with write access to any repository of 'acme' can get in by pushing to a branch or tag that nothing protects, without anybody's approval.",
          "Set protectedRefsOnly of rule 'deploy' to true and protect the branch or tag in GitHub (Settings, Rules, or Settings, Branches).",
        ],
        [
          'no_id_pinned',
          "Whoever registers the path 'acme' anew, once it was deleted, renamed or moved, can get in.",
          "Set ids.namespaceIds of rule 'deploy' to the owner's number (repository_owner_id in the token).",
        ],
      ],
    )
    const [unpinned] = ofGithub({ ...narrow, ids: { projectIds: [], namespaceIds: [] } })
    assert.match(unpinned?.change ?? '', /^Set ids\.projectIds .* the repository's number/)
    const [several] = ofGithub({
      ...wide,
      ids: { projectIds: ['20', '30'], namespaceIds: [] },
      protectedRefsOnly: true,
    })
    assert.match(several?.message ?? '', / protected tag of any of 2 repositories in 'acme' can get in/)
  })

  const RULES: readonly (readonly [
    name: string,
    changes: Partial<Rule>,
    expected: readonly FindingCode[],
  ])[] = [
    ['no repository but its number', { project: '' }, []],
    ['no repository but its name as a claim', { project: '', claims: { repository: ['acme/app'] } }, []],
    [
      "no repository and the owner's number",
      { project: '', ids: { projectIds: [], namespaceIds: ['72'] } },
      ['no_project'],
    ],
    ['all refs but a claim of one', { refs: [], claims: { ref: ['refs/heads/main'] } }, []],
    [
      'all refs and a claim that GitHub does not send',
      { refs: [], claims: { ref_path: ['x'] } },
      ['all_refs'],
    ],
    ['unprotected refs but the claim', { protectedRefsOnly: false, claims: { ref_protected: ['true'] } }, []],
    [
      'its number as a claim',
      { ids: { projectIds: [], namespaceIds: [] }, claims: { repository_id: ['20'] } },
      [],
    ],
    [
      "the owner's number as a claim",
      { ids: { projectIds: [], namespaceIds: [] }, claims: { repository_owner_id: ['72'] } },
      [],
    ],
    ['an event that everybody may cause', { pipelineSources: ['push', 'issue_comment'] }, ['open_source']],
    [
      'events of people with write access',
      { pipelineSources: ['release', 'repository_dispatch', 'label'] },
      [],
    ],
    ['a workflow of its own', workflow('ACME/ci/.github/workflows/x.yml@refs/heads/main'), []],
    [
      'a workflow of another owner',
      workflow('acme-evil/ci/.github/workflows/x.yml@refs/tags/v1'),
      ['foreign_workflow'],
    ],
    [
      'workflows of its own and of another owner',
      workflow('acme/ci/.github/workflows/x.yml@refs/heads/main', 'other/ci/.github/workflows/x.yml@main'),
      ['foreign_workflow'],
    ],
    [
      "another owner's workflow at a commit",
      workflow(`other/ci/.github/workflows/x.yml@${'0123456789'.repeat(4)}`),
      [],
    ],
    [
      "another owner's workflow with its commit",
      {
        claims: {
          ...workflow('other/ci/.github/workflows/x.yml@refs/heads/main').claims,
          job_workflow_sha: ['0123456789'.repeat(4)],
        },
      },
      [],
    ],
    [
      'a number as a claim of GitLab',
      { ids: { projectIds: [], namespaceIds: [] }, claims: { project_id: ['20'] } },
      ['no_id_pinned'],
    ],
  ]
  for (const [name, changes, expected] of RULES) {
    test(`of a rule with ${name}: ${expected.join(', ') || 'none'}`, () => {
      assert.deepEqual(codesOf({ ...narrow, ...changes }), expected)
    })
  }

  const SERVER = 'https://github.example.com/_services/token'
  const RESIDENT = 'https://token.actions.acme.ghe.com'
  const AUDIENCES: readonly (readonly [audience: string, issuerUrl: string, isShared: boolean])[] = [
    ['https://github.com/acme', ISSUER, true],
    ['https://github.com/Some-Body/', ISSUER, true],
    ['https://github.com/acme', `${ISSUER}/acme`, true],
    [ISSUER, ISSUER, true],
    ['sigstore', ISSUER, true],
    ['sts.amazonaws.com', ISSUER, true],
    ['https://github.example.com/acme', SERVER, true],
    [SERVER, SERVER, true],
    ['https://acme.ghe.com/team', RESIDENT, true],
    ['https://github.com/acme/claimgate', ISSUER, false],
    ['https://github.com', ISSUER, false],
    ['https://github.com.example.com/acme', ISSUER, false],
    ['https://claimgate.example.com/acme', ISSUER, false],
    ['https://github.example.com/acme', ISSUER, false],
    ['acme', ISSUER, false],
  ]
  for (const [audience, issuerUrl, isShared] of AUDIENCES) {
    test(`with the audience '${audience}' of ${issuerUrl}: ${isShared ? 'shared_audience' : 'none'}`, () => {
      assert.deepEqual(codesOf(narrow, [audience], issuerUrl), isShared ? ['shared_audience'] : [])
    })
  }
  test('with the address of an owner on GitHub, where jobs are of GitLab: none', () => {
    const config = {
      ...specWith([NARROW]).workloadIdentityConfig,
      allowedAudiences: ['https://github.com/acme'],
    }

    assert.deepEqual(codes([NARROW], { workloadIdentityConfig: config }), [])
  })
})

test('who starts a job is said in words of the provider, with the place', () => {
  const { message, change } = found([{ ...NARROW, pipelineSources: ['trigger'] }])[0] ?? {}
  const [foreign] = foreignWorkflow()

  assert.equal(
    message,
    "Whoever holds a pipeline trigger token of 'acme/app', whoever that is, can start a job that gets in, by trigger, without the right to push.",
  )
  assert.equal(change, "Take trigger out of pipelineSources of rule 'deploy'.")
  assert.equal(
    foreign?.message,
    "Whoever may change 'refs/heads/main' of 'other/ci', which is not of 'acme', decides what jobs do that get in.",
  )
})

describe('who follows the change of a finding is rid of it', () => {
  const CHANGES: readonly (readonly [FindingCode, Partial<Rule>, Partial<Rule>])[] = [
    ['whole_group_open', { ...EVERY_REF, project: '' }, { project: 'app' }],
    ['no_project', { project: '' }, { project: 'app' }],
    ['all_refs', { refs: [] }, { refs: [{ type: 'BRANCH', pattern: 'main' }] }],
    ['unprotected_refs', { protectedRefsOnly: false }, { protectedRefsOnly: true }],
    ['administrative_role', { roles: ['roles/workspaceAdmin'] }, { roles: [] }],
    ['merge_requests', EVERY_REF, { mergeRequests: 'NONE' }],
    ['open_source', { pipelineSources: ['push', 'trigger'] }, { pipelineSources: ['push'] }],
    ['no_id_pinned', {}, { ids: PINNED }],
  ]
  for (const [code, changes, mend] of CHANGES) {
    test(code, () => {
      const before = codes([ruleWith(changes)])
      const after = codes([ruleWith({ ...changes, ...mend })])

      assert.ok(before.includes(code))
      assert.ok(!after.includes(code))
      assert.deepEqual(
        after.filter((other) => !before.includes(other)),
        [],
        'a narrower identity has a finding that the wider one had not',
      )
    })
  }
})
