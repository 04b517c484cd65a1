import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import {
  type Attack,
  anyClaimAttacks,
  attackWith,
  type Changed,
  type Changes,
  otherCase,
  protectionAttacks,
  STRANGER_ID,
} from './attack.ts'

/** What tokens of GitHub Actions look like that try to get in by a rule, as `gitlabAttacks` has them. */
export function githubAttacks(rule: Rule, admitted: JsonObject): readonly Attack[] {
  return [
    ...pullRequestAttacks(),
    ...nameAttacks(rule),
    ...refAttacks(admitted),
    { title: 'the same name, registered anew', changes: { repository_id: STRANGER_ID } },
    { title: 'another owner of the same name', changes: { repository_owner_id: STRANGER_ID } },
    ...anyClaimAttacks(rule, admitted),
  ].map((changed) => attackWith(admitted, changed))
}

/** Nothing in a token tells the pull request of a fork, nor what a workflow_run follows. */
function pullRequestAttacks(): readonly Changed[] {
  const pullRequest = {
    head_ref: 'feature',
    base_ref: 'main',
    ref_protected: 'false',
    ref: 'refs/pull/7/merge',
  }
  return [
    { title: 'a pull request', changes: { ...pullRequest, event_name: 'pull_request' } },
    { title: 'a pull request that was closed', changes: { event_name: 'pull_request', head_ref: 'feature' } },
    { title: 'a push with the head of a pull request', changes: { head_ref: 'feature' } },
    { title: 'the merge ref of a pull request', changes: { ref: pullRequest.ref } },
    ...[
      '',
      'release',
      'check_run',
      'repository_dispatch',
      'pull_request',
      'pull_request_target',
      'pull_request_review',
      'pull_request_review_comment',
      'workflow_run',
      'issue_comment',
      'merge_group',
      'PUSH',
    ].map((event) => ({ title: `a workflow started by '${event}'`, changes: { event_name: event } })),
  ]
}

/** Another's repository whose name is nearly the rule's. */
function nameAttacks({ group, project }: Rule): readonly Changed[] {
  const name = project || 'project'
  return [
    { title: 'another owner', changes: at(`mallory/${name}`) },
    { title: 'an owner that begins like it', changes: at(`${group}-evil/${name}`) },
    { title: 'an owner that ends like it', changes: at(`x${group}/${name}`) },
    { title: "another owner beside the rule's repository", changes: { repository_owner: 'mallory' } },
    { title: 'a slash at the end of the owner', changes: { repository_owner: `${group}/` } },
    { title: 'an owner with a further segment', changes: { repository_owner: `${group}/sub` } },
    { title: 'an empty owner', changes: { repository_owner: '' } },
    { title: 'a repository that begins like it', changes: at(`${group}/${name}2`) },
    { title: 'a repository that ends like it', changes: at(`${group}/x${name}`) },
    { title: 'the repository without its owner', changes: { repository: name } },
    ...LOOK_ALIKES.flatMap(([letter, alike]) => [
      {
        title: `an owner with '${alike}' for '${letter}'`,
        changes: at(`${group.replace(letter, alike)}/${name}`),
      },
      {
        title: `a repository with '${alike}' for '${letter}'`,
        changes: at(`${group}/${name.replace(letter, alike)}`),
      },
    ]),
    { title: "the owner beside another's repository", changes: { repository: `mallory/${name}` } },
  ]
}

/** Letters that Unicode takes for one of ASCII in some case. */
const LOOK_ALIKES = [
  ['k', '\u212A'],
  ['i', '\u0130'],
  ['s', '\u017F'],
] as const

function at(repository: string): Changes {
  return { repository, repository_owner: repository.slice(0, repository.indexOf('/')) }
}

function refAttacks(admitted: JsonObject): readonly Changed[] {
  const isTag = admitted.ref_type === 'tag'
  const [own, other] = isTag ? ['refs/tags/', 'refs/heads/'] : ['refs/heads/', 'refs/tags/']
  const name = String(admitted.ref).slice(own.length)
  return [
    {
      title: isTag ? 'a branch named like the tag' : 'a tag named like the branch',
      changes: { ref: `${other}${name}`, ref_type: isTag ? 'branch' : 'tag' },
    },
    { title: 'a ref of the other kind', changes: { ref: `${other}${name}` } },
    { title: 'the ref in another case', changes: { ref: `${own}${otherCase(name)}` } },
    { title: 'a ref that begins like it', changes: { ref: `${own}${name}-evil/x` } },
    { title: 'a ref that ends like it', changes: { ref: `${own}evil/${name}` } },
    { title: 'the prefix of the ref twice', changes: { ref: `${own}${own}${name}` } },
    {
      title: 'a ref that is neither branch nor tag',
      changes: { ref: `refs/${isTag ? 'pull' : 'notes'}/${name}` },
    },
    { title: 'a ref of no name', changes: { ref: own } },
    { title: 'the name of the ref alone', changes: { ref: name } },
    ...protectionAttacks('ref_protected'),
  ]
}
