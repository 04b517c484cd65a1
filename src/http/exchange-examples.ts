/** An exchange and what may come of it, as a job on gitlab.com would see it; a test makes these very refusals. */
export const EXCHANGE = { token: 'eyJraWQiOi…', email: 'gitlab-deploy@workload.example.com' }

const decisionId = '019ab5e0-3f5c-7d43-9a0b-6f1c2e8d4a57'

export const ISSUED = { accessToken: 'eyJhbGciOi…', tokenType: 'Bearer', expiresIn: 3600, decisionId }

const DENIED = 'Token exchange denied.'
const ownToken = { ref_path: 'refs/heads/main', pipeline_source: 'push', aud: 'https://gitlab.com' }

export const EXPIRED_TOKEN = {
  code: 16,
  message: `${DENIED} The token expired 4 minutes ago. Retry the job to get a new one.`,
  details: [
    { decisionId, reason: 'token_expired', token: { project_path: 'my-group/my-project', ...ownToken } },
  ],
}

export const OUTSIDE_THE_GROUP = {
  code: 16,
  message: DENIED,
  details: [{ decisionId, token: { project_path: 'another-group/app', ...ownToken } }],
}

export const ANOTHER_BRANCH = {
  code: 7,
  message:
    `${DENIED} Rule 'deploy' (Deploy from main) is not met. Condition ref: ref_path is 'refs/heads/feature', ` +
    "expected branch 'main': run the job on a branch or tag that the rule names, or have the rule's refs extended.",
  details: [
    {
      decisionId,
      reason: 'condition_not_met',
      rules: [
        {
          id: 'deploy',
          title: 'Deploy from main',
          met: false,
          conditions: {
            group: condition('namespace_path', "'my-group' or a group below it", 'my-group'),
            project: condition('project_path', "'my-group/my-project'", 'my-group/my-project'),
            ref: { ...condition('ref_path', "branch 'main'", 'refs/heads/feature'), met: false },
            protected_ref: condition('ref_protected', "'true'", 'true'),
            merge_request: condition('pipeline_source', "any source but 'merge_request_event'", 'push'),
            fork: condition('job_project_id', "project_id '20'", '20'),
            pipeline_source: condition('pipeline_source', "one of 'push', 'web', 'schedule', 'api'", 'push'),
          },
        },
      ],
      conditions: [],
      guardrails: [],
    },
  ],
}

function condition(claim: string, expected: string, actual: string) {
  return { claim, expected, actual, met: true }
}
