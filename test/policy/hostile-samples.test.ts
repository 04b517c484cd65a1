import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Rule } from '../../src/identity/rule.ts'
import type { JsonObject } from '../../src/json.ts'
import { gitlabAdmits } from '../../src/policy/gitlab-admits.ts'
import { gitlabAttacks } from '../../src/policy/gitlab-attacks.ts'
import { hostileSamples } from '../../src/policy/hostile-samples.ts'
import { sampleClaims } from '../../src/policy/sample-claims.ts'
import { createSmokeRunner } from '../../src/policy/smoke-run.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { assertSaidTwice, problemsOf } from './hostile-world.ts'
import { claims, ruleWith } from './policy-world.ts'

const EVERY_REF = { refs: [], protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' } as const

/** One of each kind of rule that there can be. */
const RULES: readonly Rule[] = [
  ruleWith(),
  ruleWith({ project: '' }),
  ruleWith({ group: 'Acme/sub', project: 'x/App' }),
  ruleWith(EVERY_REF),
  ruleWith({ ...EVERY_REF, project: '' }),
  ruleWith({ ...EVERY_REF, protectedRefsOnly: true }),
  ruleWith({ ...EVERY_REF, mergeRequests: 'NONE' }),
  ruleWith({ ...EVERY_REF, pipelineSources: ['push', 'parent_pipeline'] }),
  ruleWith({ protectedRefsOnly: false, pipelineSources: ['parent_pipeline', 'trigger', 'web'] }),
  ruleWith({ refs: [{ type: 'TAG', pattern: 'v*.*-*' }] }),
  ruleWith({ refs: [{ type: 'BRANCH', pattern: 'release/*' }] }),
  ruleWith({ refs: [{ type: 'BRANCH', pattern: '*/a*b/**' }] }),
  ruleWith({ ids: { projectIds: ['20', '30'], namespaceIds: ['72'] } }),
  ruleWith({ ...EVERY_REF, claims: { environment: ['production', 'live'], runner_id: ['7'] } }),
  ruleWith({ ...EVERY_REF, claims: { pipeline_source: ['merge_request_event'] } }),
  ruleWith({ refs: [], claims: { ref: ['main'], ref_protected: ['false'] } }),
].map((rule, index) => ({ ...rule, id: `rule-${index}` }))

const enabled = (rule: Rule) => hostileSamples('GITLAB', [rule])
const titles = (rule: Rule) => enabled(rule).map(({ title }) => title)

describe('what a rule admits is the same said twice, in Rego and apart from it', () => {
  const samples: readonly JsonObject[] = [
    {},
    claims,
    ...RULES.map((rule) => sampleClaims(rule, PROVIDERS.GITLAB).claims),
    ...RULES.flatMap((rule) => gitlabAttacks(rule, sampleClaims(rule, PROVIDERS.GITLAB).claims)).map(
      (attack) => attack.claims,
    ),
    ...[
      'release/1',
      'release/1/2',
      'x/ab/c',
      'x/a-b/c/d',
      'x/b/c',
      'x/ab',
      'x/ab/',
      'v1.2-3',
      'v.-',
      'v1-2.3',
    ].flatMap((ref) => [
      { ...claims, ref, ref_path: `refs/heads/${ref}` },
      { ...claims, ref, ref_type: 'tag', ref_path: `refs/tags/${ref}` },
    ]),
    ...['web', 'chat', 'trigger', 'merge_request_event', 'parent_pipeline'].flatMap((pipeline_source) => [
      { ...claims, pipeline_source },
      { ...claims, pipeline_source, ref_protected: 'false' },
    ]),
  ]

  test(`of ${samples.length} samples, by each of ${RULES.length} rules`, async () => {
    const admitted = await assertSaidTwice('GITLAB', RULES, samples, gitlabAdmits)

    assert.ok(admitted > 100, `only ${admitted} were admitted`)
  })
})

describe('the hostile samples of a rule', () => {
  test('are what a rule for one branch must refuse, each of them', () => {
    const found = titles(
      ruleWith({ ids: { projectIds: ['20'], namespaceIds: [] }, claims: { environment: ['live'] } }),
    )

    for (const title of [
      "a merge request of a stranger's fork",
      'a merge request of a fork in the group',
      'a child pipeline of a merge request',
      'a tag named like the branch',
      'the ref in another case',
      'a group that begins like it',
      'another group',
      'a project that begins like it',
      'a ref_protected of "false"',
      'a ref_protected of true',
      'the same path, registered anew',
      'another value of the claim environment',
      ...['namespace_path', 'project_path', 'project_id', 'ref', 'ref_type', 'ref_protected'].map(
        (name) => `no ${name}`,
      ),
      ...['pipeline_source', 'environment'].map((name) => `no ${name}`),
      'a number as project_id',
      'a list as ref',
      'null as namespace_path',
    ]) {
      assert.ok(found.includes(title), `${title} is not among them`)
    }
  })

  test('are not what a wider rule rightly admits', () => {
    const found = titles(ruleWith({ ...EVERY_REF, project: '' }))

    for (const title of [
      'a merge request',
      'a tag named like the branch',
      'a project that begins like it',
      'a ref_protected of "false"',
    ]) {
      assert.ok(!found.includes(title), `${title} is among them`)
    }
    assert.ok(found.includes('a merge request of a fork in the group'))
    assert.ok(found.includes('a group that begins like it'))
  })

  test('are never admitted by the rule that they are made for', () => {
    for (const rule of RULES) {
      const samples = enabled(rule)
      assert.ok(samples.length > 30, `only ${samples.length}`)
      for (const { claims: hostile } of samples) assert.equal(gitlabAdmits(rule, hostile), false)
    }
  })

  test('are fewer for each of many rules, but some of each, and not the same', () => {
    const rules = Array.from({ length: 100 }, (_, n) => ruleWith({ id: `rule-${n}`, group: `group-${n}` }))

    const samples = hostileSamples('GITLAB', rules)

    assert.ok(samples.length >= 100 && samples.length * rules.length <= 20_000, `${samples.length}`)
    assert.equal(new Set(samples.map(({ rule }) => rule.id)).size, 100)
    assert.ok(new Set(samples.map(({ title }) => title)).size > 40)
  })
})

describe('a policy that hostile samples meet is refused', () => {
  const smokeRunner = createSmokeRunner()
  after(() => smokeRunner.close())

  const problems = (rules: readonly Rule[], change?: (source: string) => string) =>
    problemsOf(smokeRunner.run, 'GITLAB', rules, change)
  const pinned = ruleWith({
    ids: { projectIds: ['20'], namespaceIds: ['72'] },
    claims: { environment: ['live'] },
  })
  for (const code of [
    'group',
    'project',
    'ref',
    'protected_ref',
    'merge_request',
    'fork',
    'pipeline_source',
  ]) {
    test(`one that no longer asks for ${code}`, async () => {
      // A rule for all refs, as others refuse the same samples as well.
      const rule = code === 'fork' ? ruleWith({ ...EVERY_REF, project: '' }) : ruleWith()

      const { changed, codes } = await problems([rule], (source) =>
        source.replace(/^always := \{.*\}$/m, (line) =>
          line.replace(`"${code}", `, '').replace(`, "${code}"`, ''),
        ),
      )

      assert.equal(changed, 1)
      assert.ok(codes.length > 0)
      assert.deepEqual(new Set(codes), new Set(['hostile_sample_met']))
    })
  }
  for (const [name, from, to] of [
    ['the ids', 'count(values) > 0', 'count(values) > 9'],
    ['the claims', 'claims[name] in values', 'claims[name] != values'],
    ['the case of refs', 'wanted == segment', 'lower(wanted) == lower(segment)'],
    ['what follows the group', 'concat("", [parent, "/"])', 'concat("", [parent, ""])'],
  ] as const) {
    test(`one that no longer looks at ${name}`, async () => {
      const { changed, codes } = await problems([pinned], (source) => source.replace(from, to))

      assert.equal(changed, 1)
      assert.ok(codes.includes('hostile_sample_met'), JSON.stringify(codes))
    })
  }

  test('and one whose other rule admits them is not, as that rule says so', async () => {
    const rules = [
      ruleWith({ id: 'deploy' }),
      ruleWith({ ...EVERY_REF, id: 'review', claims: { pipeline_source: ['merge_request_event'] } }),
      ruleWith({ ...EVERY_REF, id: 'all', project: '' }),
    ]

    assert.deepEqual(await problems(rules), { changed: 0, codes: [], messages: [] })
  })

  test('also where another rule admits them, since each rule is looked at by itself', async () => {
    const rules = [ruleWith({ id: 'deploy' }), ruleWith({ ...EVERY_REF, id: 'all', project: '' })]

    const { codes, messages } = await problems(rules, (source) =>
      source.replace(
        'claims.ref_protected == "true"\n}\n\nmet[i] contains "merge_request"',
        'claims\n}\n\nmet[i] contains "merge_request"',
      ),
    )

    assert.ok(codes.includes('hostile_sample_met'))
    assert.ok(
      messages.every((message) => /^The rule 'deploy' is met by .*ref_protected/.test(message)),
      messages.join(),
    )
  })

  test('and a rule that is disabled has none', async () => {
    const rules = [ruleWith({ id: 'deploy' }), ruleWith({ id: 'off', disabled: true })]

    assert.deepEqual((await problems(rules)).codes, [])
  })
})
