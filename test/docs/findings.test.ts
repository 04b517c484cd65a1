import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { findFindings } from '../../src/finding/find-findings.ts'
import { FINDING_GRADES } from '../../src/finding/finding.ts'
import { DENIAL_REASONS } from '../../src/identity/workload-identity-schema.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { ruleWith } from '../policy/policy-world.ts'
import { startWorld, type World } from '../support/world.ts'
import { codeBlocks, readPage } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const PAGE = 'docs/findings.md'

test('the page lists every finding with its grade, and no other', () => {
  const listed = [...readPage(PAGE).matchAll(/^\| `(\w+)` \| (CRITICAL|WARNING|NOTE) \|/gm)]

  assert.deepEqual(
    listed.map(([, code, grade]) => [code, grade]),
    Object.entries(FINDING_GRADES),
  )
})

test('the page lists every reason that a test may expect of a denial, in the order in which they are looked for', () => {
  const [, section = ''] = readPage(PAGE).split('| reason | the test says |')
  const [table = ''] = section.split('\n\n')

  const listed = [...table.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason),
  )

  assert.deepEqual(listed, DENIAL_REASONS)
})

test('the page says of GitHub what is said of an identity of GitHub', () => {
  const found = findFindings(
    {
      title: '',
      tokenLifetimeSeconds: 900,
      subjectTokenUse: 'ONCE',
      tokenAudiences: [],
      recordedClaims: [],
      tests: [],
      workloadIdentityConfig: {
        providerType: 'GITHUB',
        issuerUrl: PROVIDERS.GITHUB.issuerUrl,
        allowedAudiences: ['https://claimgate.example.com'],
        rules: [ruleWith({ group: 'my-org', project: '', protectedRefsOnly: false })],
      },
    },
    { projectId: null, memberships: [], administrativeRoles: [], publicUrl: 'https://claimgate.example.com' },
  )

  const prose = readPage(PAGE).replaceAll(/\s+(> )?/g, ' ')
  assert.ok(prose.includes(`For GitHub they speak of GitHub: ${found[0]?.message}`), found[0]?.message)
})

describe('the examples of the page', { skip: CANNOT_RUN }, () => {
  let world: World
  before(async () => {
    world = await startWorld('embedded', {
      IDENTITY_DOMAIN: 'workload.claimgate.internal',
      BLOCK_FINDINGS: 'critical',
    })
  })
  after(() => world?.close())

  test('do what it says', async () => {
    const outputs: string[] = []
    for (const { text } of codeBlocks(PAGE).filter(({ language }) => language === 'sh')) {
      const { output, exitCode } = await runShell(text, {
        BYTEBASE_URL: world.app.url,
        ADMIN_TOKEN: world.adminToken,
      })
      assert.equal(exitCode, 0, output)
      outputs.push(output)
    }

    const [created, acknowledged, validated, evaluated] = outputs.map((output) => JSON.parse(output))
    assert.equal(created.tests.length, 2)
    assert.deepEqual(
      created.findings.map(({ code }: { code: string }) => code),
      ['long_lifetime'],
    )
    assert.equal(acknowledged.acknowledgements[0].reason, 'Sandbox of the platform team')
    assert.ok(
      readPage(PAGE)
        .replaceAll(/\s+(> )?/g, ' ')
        .includes(acknowledged.findings[0].message),
      acknowledged.findings[0].message,
    )
    assert.deepEqual(validated, { problems: [], findings: [], failed: [] })
    assert.equal(evaluated.met, false)
    assert.equal(evaluated.unmet.ref.actual, 'dev')
  })
})
