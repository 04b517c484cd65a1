import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { checkJob, type ShownDecision } from '../../demo/check-job.ts'
import type { DemoJob } from '../../demo/demo-jobs.ts'

const JOB: DemoJob = {
  title: 'A job',
  why: '',
  script: 'deploy',
  token: 'token',
  expected: { outcome: 'DENIED', reason: 'condition_not_met', code: 7, unmet: ['fork'] },
}
const REFUSED = { output: 'Failed to get access token\n{"code":7,"message":"…"}', exitCode: 1 }
const DECISION: ShownDecision = {
  name: 'decisions/1',
  outcome: 'DENIED',
  reason: 'condition_not_met',
  subjectTokenHash: createHash('sha256').update('token').digest('hex'),
  claims: {},
  verdict: {
    allow: false,
    rules: [
      {
        id: 'rule-1',
        title: '',
        met: false,
        conditions: {
          fork: { claim: 'job_project_id', expected: '', actual: '20', met: false },
          group: { claim: 'namespace_path', expected: '', actual: 'a', met: true },
        },
      },
    ],
    conditions: [],
    guardrails: [],
    roles: [],
  },
}

test('a job that ended as it should has no problems', () => {
  assert.deepEqual(checkJob(JOB, REFUSED, DECISION), [])
})

const cases = {
  'was let in': checkJob(JOB, { ...REFUSED, output: '{"code":7,"userType":"WORKLOAD_IDENTITY"}' }, DECISION),
  'ended with 0': checkJob(JOB, { ...REFUSED, exitCode: 0 }, DECISION),
  'another code': checkJob(JOB, { ...REFUSED, output: '{"code":16,"message":""}' }, DECISION),
  'tells a stranger of the rules': checkJob(
    { ...JOB, expected: { ...JOB.expected, code: 16 } },
    { ...REFUSED, output: '{"code":16,"message":"","details":[{"rules":[]}]}' },
    DECISION,
  ),
  'did not run': checkJob(JOB, undefined, DECISION),
  'no decision on its token was recorded': checkJob(JOB, REFUSED, undefined),
  'no decision on its token': checkJob(JOB, REFUSED, { ...DECISION, subjectTokenHash: '00' }),
  'ALLOWED allowed was recorded': checkJob(JOB, REFUSED, {
    ...DECISION,
    outcome: 'ALLOWED',
    reason: 'allowed',
  }),
  'conditions not met are: none': checkJob(JOB, REFUSED, { ...DECISION, verdict: null }),
  'conditions not met are: fork': checkJob(
    { ...JOB, expected: { ...JOB.expected, unmet: ['fork', 'project'] } },
    REFUSED,
    DECISION,
  ),
}

for (const [text, problems] of Object.entries(cases)) {
  test(`a job that did not end as it should is a problem: ${text}`, () => {
    assert.equal(problems.length, 1)
    assert.ok(problems[0]?.includes(text), problems[0])
  })
}
