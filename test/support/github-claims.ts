import type { Claims } from './gitlab-claims.ts'

const SHA = '714a629c0b401fdce83e847fc9589983fc6f46bc'

/**
 * What GitHub says about a job (docs.github.com, "OpenID Connect reference"): by default a push to the protected branch
 * main of acme/app. `overrides` change what they name and what necessarily follows from it; the token's own claims (iss,
 * aud, exp, nbf, iat, jti) are added when it is signed.
 */
export function githubClaims(overrides: Claims = {}): Claims {
  const repository = text(overrides, 'repository', 'acme/app')
  const ref = text(overrides, 'ref', 'refs/heads/main')
  const workflow = `${repository}/.github/workflows/deploy.yml@${ref}`
  const claims = {
    sub: `repo:${repository}:ref:${ref}`,
    ref,
    ref_type: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    ref_protected: 'true',
    sha: SHA,
    repository,
    repository_id: '20',
    repository_owner: repository.split('/')[0],
    repository_owner_id: '72',
    repository_visibility: 'private',
    actor: 'sample-user',
    actor_id: '1',
    event_name: 'push',
    head_ref: '',
    base_ref: '',
    workflow: 'Deploy',
    workflow_ref: workflow,
    workflow_sha: SHA,
    job_workflow_ref: workflow,
    job_workflow_sha: SHA,
    run_id: '574',
    run_number: '11',
    run_attempt: '1',
    check_run_id: '302',
    runner_environment: 'github-hosted',
    ...overrides,
  }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

/** A pull request of a branch or a fork: its token says the same. */
export function pullRequest(overrides: Claims = {}): Claims {
  return {
    event_name: 'pull_request',
    ref: 'refs/pull/7/merge',
    ref_protected: 'false',
    head_ref: 'feature',
    base_ref: 'main',
    sub: 'repo:acme/app:pull_request',
    ...overrides,
  }
}

/** One that was closed, merged or not: its token has the ref of the branch that it was to go into. */
export function closedPullRequest(overrides: Claims = {}): Claims {
  return pullRequest({ ref: 'refs/heads/main', ref_protected: 'true', ...overrides })
}

function text(overrides: Claims, name: string, fallback: string): string {
  const value = overrides[name]
  return typeof value === 'string' ? value : fallback
}
