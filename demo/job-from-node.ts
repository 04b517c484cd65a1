import type { JobName, JobResult, JobVariables } from './run-job.ts'

/** What deploy.sh and review.sh do, for a machine without curl or jq: the same requests, the same lines. */
export async function jobFromNode(name: JobName, variables: JobVariables): Promise<JobResult> {
  const answer = await exchange(variables)
  const accessToken = String(JSON.parse(answer).accessToken ?? 'null')
  if (name === 'review') return { output: await currentUser(variables, accessToken), exitCode: 0 }
  if (accessToken === 'null') return { output: `Failed to get access token\n${answer}`, exitCode: 1 }
  return { output: `Authenticated as: ${await currentUser(variables, accessToken)}`, exitCode: 0 }
}

async function exchange({
  BYTEBASE_URL,
  GITLAB_OIDC_TOKEN,
  WORKLOAD_IDENTITY_EMAIL,
}: JobVariables): Promise<string> {
  const response = await fetch(`${BYTEBASE_URL}/v1/auth:exchangeToken`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token: GITLAB_OIDC_TOKEN, email: WORKLOAD_IDENTITY_EMAIL }),
  })
  return response.text()
}

async function currentUser({ BYTEBASE_URL }: JobVariables, accessToken: string): Promise<string> {
  const response = await fetch(`${BYTEBASE_URL}/v1/users/me`, {
    headers: { Authorization: `Bearer ${accessToken}` },
  })
  return response.text()
}
