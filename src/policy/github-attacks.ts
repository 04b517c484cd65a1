import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import {
  type Attack,
  attacksOf,
  type Changed,
  type Changes,
  claimAttacks,
  otherCase,
  STRANGER_ID,
  typeAttacks,
} from './attack.ts'

/**
 * What tokens of GitHub Actions look like that try to get in by a rule, each made from claims that it admits: what
 * matters most comes first. Not all are hostile to every rule.
 */
export function githubAttacks(rule: Rule, admitted: JsonObject): readonly Attack[] {
  return attacksOf(admitted, [
    ...PULL_REQUEST_ATTACKS,
    ...pathAttacks(rule),
    ...refAttacks(admitted),
    ...ID_ATTACKS,
    ...claimAttacks(rule),
    ...typeAttacks(admitted),
  ])
}

const HEAD = { head_ref: 'feature', base_ref: 'main' }
const MERGE = { ref: 'refs/pull/1/merge', ref_type: 'branch', ref_protected: 'false' }

/** The code of a fork, and code that nobody has reviewed: a token never tells the one from the other. */
const PULL_REQUEST_ATTACKS: readonly Changed[] = [
  { title: 'a pull request, of a fork or not', changes: { ...HEAD, ...MERGE, event_name: 'pull_request' } },
  {
    title: 'a pull request whose merge says that it is protected',
    changes: { ...HEAD, ...MERGE, ref_protected: 'true', event_name: 'pull_request' },
  },
  ...[
    'pull_request',
    'pull_request_target',
    'pull_request_review',
    'pull_request_review_comment',
    'workflow_run',
  ].flatMap((event) => [
    { title: `${event} on the ref that the rule names`, changes: { ...HEAD, event_name: event } },
    { title: `${event} that names no branches`, changes: { event_name: event } },
  ]),
  { title: 'a push that names the branch of a pull request', changes: HEAD },
  ...['issue_comment', 'merge_group', 'check_run', 'repository_dispatch', 'release', 'PUSH', ''].map(
    (event) => ({ title: `a workflow started by '${event}'`, changes: { event_name: event } }),
  ),
]

/** Another's organisation or repository whose name is nearly the rule's. */
function pathAttacks({ group, project }: Rule): readonly Changed[] {
  const name = project || 'project'
  return [
    {
      title: "a fork, on a branch of the stranger's own",
      changes: { ...of('mallory', name), repository_id: STRANGER_ID, repository_owner_id: STRANGER_ID },
    },
    { title: 'an owner that begins like it', changes: of(`${group}-evil`, name) },
    { title: 'an owner that ends like it', changes: of(`x${group}`, name) },
    { title: 'an owner below the owner', changes: of(`${group}/sub`, name) },
    { title: 'another owner beside the repository', changes: { repository_owner: 'mallory' } },
    { title: 'a slash at the end of the owner', changes: { repository_owner: `${group}/` } },
    { title: 'a space at the end of the owner', changes: { repository_owner: `${group} ` } },
    { title: 'an empty owner', changes: { repository_owner: '' } },
    { title: "the owner beside another's repository", changes: { repository: `mallory/${name}` } },
    { title: 'a repository that begins like it', changes: of(group, `${name}2`) },
    { title: 'a repository that ends like it', changes: of(group, `x${name}`) },
    { title: 'the repository without its owner', changes: { repository: name } },
    ...LOOK_ALIKES.flatMap(([letter, alike]) => [
      { title: `an owner with '${alike}' for '${letter}'`, changes: of(group.replace(letter, alike), name) },
      {
        title: `a repository with '${alike}' for '${letter}'`,
        changes: of(group, name.replace(letter, alike)),
      },
    ]),
  ]
}

function of(owner: string, name: string): Changes {
  return { repository: `${owner}/${name}`, repository_owner: owner }
}

/** Letters that Unicode takes for one of ASCII in some case. */
const LOOK_ALIKES = [
  ['k', '\u212A'],
  ['i', '\u0130'],
  ['s', '\u017F'],
] as const

function refAttacks(admitted: JsonObject): readonly Changed[] {
  const isTag = admitted.ref_type === 'tag'
  const name = String(admitted.ref).replace(/^refs\/(heads|tags)\//, '')
  const asBranch = { ref: `refs/heads/${name}`, ref_type: 'branch' }
  const asTag = { ref: `refs/tags/${name}`, ref_type: 'tag' }
  const [own, other] = isTag ? [asTag, asBranch] : [asBranch, asTag]
  const named = (changed: string) => ({ ref: own.ref.slice(0, -name.length) + changed })
  return [
    { title: isTag ? 'a branch named like the tag' : 'a tag named like the branch', changes: other },
    { title: 'a ref of the other kind', changes: { ref: other.ref } },
    { title: 'a ref_type of the other kind', changes: { ref_type: other.ref_type } },
    { title: 'a ref_type in another case', changes: { ref_type: otherCase(own.ref_type) } },
    { title: 'the ref in another case', changes: named(otherCase(name)) },
    { title: 'a ref that begins like it', changes: named(`${name}-evil/x`) },
    { title: 'a ref that ends like it', changes: named(`evil/${name}`) },
    { title: 'the prefix of the ref twice', changes: named(own.ref) },
    {
      title: 'a ref that is neither branch nor tag',
      changes: { ref: `refs/${isTag ? 'pull' : 'notes'}/${name}` },
    },
    { title: 'the name of the ref alone', changes: { ref: name } },
    { title: 'a ref of no name', changes: named('') },
    ...['false', 'True', false, true, 1].map((value) => ({
      title: `a ref_protected of ${JSON.stringify(value)}`,
      changes: { ref_protected: value },
    })),
  ]
}

const ID_ATTACKS: readonly Changed[] = [
  { title: 'the same name, registered anew', changes: { repository_id: STRANGER_ID } },
  { title: 'an owner of the same name', changes: { repository_owner_id: STRANGER_ID } },
]
