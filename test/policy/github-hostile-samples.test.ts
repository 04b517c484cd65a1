import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Rule } from '../../src/identity/rule.ts'
import type { JsonObject } from '../../src/json.ts'
import { githubAdmits } from '../../src/policy/github-admits.ts'
import { githubAttacks } from '../../src/policy/github-attacks.ts'
import { hostileSamples } from '../../src/policy/hostile-samples.ts'
import { sampleClaims } from '../../src/policy/sample-claims.ts'
import { createSmokeRunner } from '../../src/policy/smoke-run.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { assertSaidTwice, problemsOf } from './hostile-world.ts'
import { ruleWith } from './policy-world.ts'

const { usual, known } = PROVIDERS.GITHUB.sources
const EVERY_EVENT = [...known, 'workflow_run', 'pull_request', 'pull_request_target']
const EVERY_REF = { refs: [], protectedRefsOnly: false } as const

const githubRule = (changes: Partial<Rule> = {}) => ruleWith({ pipelineSources: usual, ...changes })
const sampleOf = (rule: Rule) => sampleClaims(rule, PROVIDERS.GITHUB).claims
const titles = (rule: Rule) => hostileSamples('GITHUB', [rule]).map(({ title }) => title)

/** One of each kind of rule that there can be, and some of which no save would have the sources. */
const RULES: readonly Rule[] = [
  githubRule(),
  githubRule({ project: '' }),
  githubRule({ group: 'Kilo-Skips', project: 'Skip.k' }),
  githubRule(EVERY_REF),
  githubRule({ ...EVERY_REF, project: '' }),
  githubRule({ ...EVERY_REF, protectedRefsOnly: true }),
  githubRule({ ...EVERY_REF, project: '', mergeRequests: 'SAME_PROJECT' }),
  githubRule({ ...EVERY_REF, pipelineSources: EVERY_EVENT }),
  githubRule({ protectedRefsOnly: false, pipelineSources: ['release', 'workflow_run'] }),
  githubRule({ refs: [{ type: 'TAG', pattern: 'v*.*-*' }] }),
  githubRule({ refs: [{ type: 'BRANCH', pattern: 'release/*' }] }),
  githubRule({ refs: [{ type: 'BRANCH', pattern: '*/a*b/**' }] }),
  githubRule({ ids: { projectIds: ['20', '30'], namespaceIds: [] } }),
  githubRule({ project: '', ids: { projectIds: [], namespaceIds: ['72'] } }),
  githubRule({ ...EVERY_REF, claims: { environment: ['production', 'live'], run_attempt: ['1'] } }),
  githubRule({ ...EVERY_REF, claims: { ref: ['refs/heads/main'], ref_protected: ['false'] } }),
].map((rule, index) => ({ ...rule, id: `rule-${index}` }))

describe('what a rule admits is the same said twice, in Rego and apart from it', () => {
  const claims = sampleOf(githubRule())
  const refs = ['release/1', 'release/1/2', 'x/ab/c', 'x/a-b/c/d', 'x/b/c', 'x/ab', 'x/ab/', 'v1.2-3', 'v.-']
  const samples: readonly JsonObject[] = [
    {},
    ...RULES.map(sampleOf),
    ...RULES.flatMap((rule) => githubAttacks(rule, sampleOf(rule))).map((attack) => attack.claims),
    ...refs.flatMap((ref) => [
      { ...claims, ref: `refs/heads/${ref}` },
      { ...claims, ref: `refs/tags/${ref}`, ref_type: 'tag' },
    ]),
    ...EVERY_EVENT.flatMap((event_name) => [
      { ...claims, event_name },
      { ...claims, event_name, ref_protected: 'false' },
      { ...claims, event_name, head_ref: 'feature' },
    ]),
    { ...claims, repository: 'ACME/App', repository_owner: 'aCME' },
  ]

  test(`of ${samples.length} samples, by each of ${RULES.length} rules`, async () => {
    const admitted = await assertSaidTwice('GITHUB', RULES, samples, githubAdmits)

    assert.ok(admitted > 100, `only ${admitted} were admitted`)
  })
})

describe('the hostile samples of a rule', () => {
  test('are what a rule for one branch must refuse, each of them', () => {
    const found = titles(
      githubRule({ ids: { projectIds: ['20'], namespaceIds: ['72'] }, claims: { environment: ['live'] } }),
    )

    for (const title of [
      'a pull request',
      "a workflow started by 'pull_request_target'",
      "a workflow started by 'workflow_run'",
      'a push with the head of a pull request',
      'another owner',
      'a tag named like the branch',
      'the ref in another case',
      'an owner that begins like it',
      'a repository that begins like it',
      'a ref_protected of "false"',
      'a ref_protected of true',
      'the same name, registered anew',
      'another owner of the same name',
      'another value of the claim environment',
      ...['repository_owner', 'repository', 'repository_id', 'ref', 'ref_type', 'ref_protected'].map(
        (name) => `no ${name}`,
      ),
      ...['event_name', 'environment'].map((name) => `no ${name}`),
      'a number as repository_id',
      'a list as ref',
      'null as head_ref',
    ]) {
      assert.ok(found.includes(title), `${title} is not among them`)
    }
  })

  test('are not what a wider rule rightly admits, and never without pull requests', () => {
    const found = titles(githubRule({ ...EVERY_REF, project: '', pipelineSources: EVERY_EVENT }))

    for (const title of [
      'a tag named like the branch',
      'a repository that begins like it',
      'a ref_protected of "false"',
      "a workflow started by 'merge_group'",
      'no head_ref',
    ]) {
      assert.ok(!found.includes(title), `${title} is among them`)
    }
    assert.ok(found.includes('a pull request'))
    assert.ok(found.includes("a workflow started by 'workflow_run'"))
    assert.ok(found.includes('an owner that begins like it'))
  })

  test('are never admitted by the rule that they are made for', () => {
    for (const rule of RULES) {
      const samples = hostileSamples('GITHUB', [rule])
      assert.ok(samples.length > 30, `only ${samples.length}`)
      for (const { claims } of samples) assert.equal(githubAdmits(rule, claims), false)
    }
  })
})

describe('a policy that hostile samples meet is refused', () => {
  const smokeRunner = createSmokeRunner()
  after(() => smokeRunner.close())

  const problems = (rules: readonly Rule[], change?: (source: string) => string) =>
    problemsOf(smokeRunner.run, 'GITHUB', rules, change)

  const pinned = githubRule({
    ids: { projectIds: ['20'], namespaceIds: ['72'] },
    claims: { environment: ['live'] },
  })
  const open = githubRule({ ...EVERY_REF, project: '', pipelineSources: EVERY_EVENT })

  test('and none of those that there can be', async () => {
    assert.deepEqual(await problems(RULES.slice(0, 7)), { changed: 0, codes: [], messages: [] })
    assert.deepEqual(await problems([pinned]), { changed: 0, codes: [], messages: [] })
  })

  for (const code of ['group', 'project', 'ref', 'protected_ref', 'pipeline_source']) {
    test(`one that no longer asks for ${code}`, async () => {
      const { changed, codes } = await problems([githubRule()], (source) =>
        source.replace(/^always := \{.*\}$/m, (line) =>
          line.replace(`"${code}", `, '').replace(`, "${code}"`, ''),
        ),
      )

      assert.equal(changed, 1)
      assert.ok(codes.length > 0)
      assert.deepEqual(new Set(codes), new Set(['hostile_sample_met']))
    })
  }

  const MET = (code: string) => new RegExp(`(?<=^met\\[i\\] contains "${code}" if \\{\\n)[^}]*(?=^\\})`, 'm')
  const ANY_RULE = '\tsome i, _ in rules\n\tclaims\n'
  for (const [name, rule, from, to] of [
    ['the owner', pinned, 'paths.same(claims.repository_owner, rule.group)', 'claims'],
    ['the repository', pinned, 'paths.same(claims.repository, repository(rule))', 'claims'],
    [
      'letters that Unicode folds',
      githubRule({ project: 'kilo' }),
      'strings.replace_n(small_letters, path)',
      'lower(path)',
    ],
    ['the kind of the ref', pinned, 'wanted.type == named_ref.type', 'named_ref'],
    [
      'the pattern of the ref',
      pinned,
      'refs.covers(wanted.pattern, named_ref.name)',
      'refs.covers(wanted.pattern, wanted.pattern)',
    ],
    ['the case of the ref', pinned, 'wanted == segment', 'lower(wanted) == lower(segment)'],
    ['the prefix of the ref', pinned, 'startswith(claims.ref, ref_type.prefix)', 'contains(claims.ref, "/")'],
    ['a ref of no name', githubRule(EVERY_REF), 'name != ""', 'true'],
    ['the protection', pinned, 'claims.ref_protected == "true"', 'claims'],
    [
      'the type of the protection',
      pinned,
      'claims.ref_protected == "true"',
      'claims.ref_protected != "false"',
    ],
    ['pull requests', open, 'not startswith(claims.event_name, "pull_request")', 'true'],
    [
      'the kinds of pull requests',
      open,
      'not startswith(claims.event_name, "pull_request")',
      'claims.event_name != "pull_request"',
    ],
    ['what follows another workflow', open, 'claims.event_name != "workflow_run"', 'true'],
    ['the branch of a pull request', pinned, MET('fork'), ANY_RULE],
    ['a head_ref of no text', pinned, 'claims.head_ref == ""', 'not is_string(claims.head_ref)'],
    ['the event', pinned, 'claims.event_name in rule.pipelineSources', 'claims'],
    ['the number of the repository', pinned, 'claims.repository_id in rule.ids.projectIds', 'claims'],
    ['the number of the owner', pinned, 'claims.repository_owner_id in rule.ids.namespaceIds', 'claims'],
    ['the claims', pinned, 'claims[name] in values', 'values'],
  ] as const) {
    test(`one that no longer looks at ${name}`, async () => {
      const { changed, codes } = await problems([rule], (source) => source.replace(from, to))

      assert.equal(changed, 1)
      assert.ok(codes.includes('hostile_sample_met'), JSON.stringify(codes))
    })
  }
})
