import type { Gitlab } from '../test/support/gitlab.ts'
import { type Claims, forkMergeRequest, gitlabClaims, mergeRequest } from '../test/support/gitlab-claims.ts'
import type { JobName } from './run-job.ts'

/** One job: what runs where, and what must come of it. */
export type DemoJob = {
  readonly title: string
  /** Why it is allowed or denied, in plain words. */
  readonly why: string
  readonly script: JobName
  readonly token: string
  readonly expected: Expected
}

/** `code`: google.rpc's number in the answer, absent in an answer that holds a token; `unmet`: the conditions. */
export type Expected = {
  readonly outcome: 'ALLOWED' | 'DENIED'
  readonly reason: string
  readonly code?: number
  readonly unmet: readonly string[]
}

const ALLOWED: Expected = { outcome: 'ALLOWED', reason: 'allowed', unmet: [] }
const FORBIDDEN = 7
/** The answer to a stranger. */
export const UNAUTHENTICATED = 16

/** The jobs of the demo, in the order in which they run, each with the token that GitLab would give it. */
export function demoJobs(gitlab: Pick<Gitlab, 'signToken'>): readonly DemoJob[] {
  const tokenOf = (claims: Claims) => gitlab.signToken(gitlabClaims('18.9', claims))
  const project = { project_path: 'my-group/my-project', project_id: '20', namespace_id: '72' }
  const deployToken = tokenOf(project)
  const forkToken = tokenOf(
    forkMergeRequest('my-group/forks/my-project', {
      job_project_path: 'my-group/my-project',
      job_namespace_path: 'my-group',
    }),
  )
  return [
    {
      title: 'Deploy from main of my-group/my-project',
      why: 'The group and the project are the right ones, and every branch may.',
      script: 'deploy',
      token: deployToken,
      expected: ALLOWED,
    },
    {
      title: 'Review of a merge request in my-group/my-project',
      why: 'The merge request comes from a branch of the project itself.',
      script: 'review',
      token: tokenOf(mergeRequest(project)),
      expected: ALLOWED,
    },
    {
      title: 'Deploy from another project of the group: my-group/other-project',
      why: 'The group is the right one, so the answer may say what is wrong: the project.',
      script: 'deploy',
      token: tokenOf({ project_path: 'my-group/other-project', project_id: '35', namespace_id: '72' }),
      expected: { outcome: 'DENIED', reason: 'condition_not_met', code: FORBIDDEN, unmet: ['project'] },
    },
    {
      title: 'Deploy from another group: other-group/my-project',
      why: 'A stranger learns nothing, not even whether the identity exists; the reason is in the record alone.',
      script: 'deploy',
      token: tokenOf({ project_path: 'other-group/my-project', project_id: '99', namespace_id: '98' }),
      expected: {
        outcome: 'DENIED',
        reason: 'condition_not_met',
        code: UNAUTHENTICATED,
        unmet: ['group', 'project'],
      },
    },
    {
      title: "Review of a fork's merge request, run in my-group/my-project",
      why:
        'Anybody may fork and propose code, so code from a fork gets no token, wherever its job runs. This fork is ' +
        'inside the group (my-group/forks) to let its condition be seen; one outside is answered like a stranger. ' +
        'The script does not look at the answer, gets "null" for a token, and users/me tells it what to do.',
      script: 'review',
      token: forkToken,
      expected: { outcome: 'DENIED', reason: 'condition_not_met', unmet: ['project', 'fork'] },
    },
    {
      title: 'The same once more, with the answer printed',
      why: 'A denied attempt uses no token up, so the same job may ask again: here by the script that prints the answer.',
      script: 'deploy',
      token: forkToken,
      expected: {
        outcome: 'DENIED',
        reason: 'condition_not_met',
        code: FORBIDDEN,
        unmet: ['project', 'fork'],
      },
    },
    {
      title: 'Replay: the token of the first deploy is used again',
      why: 'A token buys one access token; whoever copied it out of a log comes too late.',
      script: 'deploy',
      token: deployToken,
      expected: { outcome: 'DENIED', reason: 'token_replayed', code: FORBIDDEN, unmet: [] },
    },
  ]
}
