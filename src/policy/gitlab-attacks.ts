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

/**
 * What tokens of GitLab look like that try to get in by a rule, each made from claims that it admits: what matters most
 * comes first. Not all are hostile to every rule: a rule for all branches rightly admits one of another name.
 */
export function gitlabAttacks(rule: Rule, admitted: JsonObject): readonly Attack[] {
  return [
    ...mergeRequestAttacks(rule),
    ...pathAttacks(rule),
    ...refAttacks(admitted),
    ...idAttacks(),
    ...anyClaimAttacks(rule, admitted),
  ].map((changed) => attackWith(admitted, changed))
}

/** The code of a fork, and code that nobody has reviewed, in each way that a pipeline may hide it. */
function mergeRequestAttacks({ group }: Rule): readonly Changed[] {
  const mergeRequest = { pipeline_source: 'merge_request_event', ref_protected: 'false' }
  const child = { pipeline_source: 'parent_pipeline', ref_protected: 'false' }
  const outsideFork = { ...at('mallory/app'), project_id: STRANGER_ID }
  const insideFork = { ...at(`${group}/forks/app`), project_id: STRANGER_ID }
  return [
    { title: "a merge request of a stranger's fork", changes: { ...mergeRequest, ...outsideFork } },
    { title: 'a merge request of a fork in the group', changes: { ...mergeRequest, ...insideFork } },
    {
      title: 'a merge request of a fork of the same path',
      changes: { ...mergeRequest, project_id: STRANGER_ID },
    },
    { title: "a child pipeline of a stranger's fork", changes: { ...child, ...outsideFork } },
    { title: 'a child pipeline of a fork in the group', changes: { ...child, ...insideFork } },
    { title: 'a push that runs in another project', changes: { job_project_id: STRANGER_ID } },
    { title: 'a merge request', changes: mergeRequest },
    {
      title: 'a merge request between protected branches',
      changes: { ...mergeRequest, ref_protected: 'true' },
    },
    { title: 'a child pipeline of a merge request', changes: child },
    {
      title: 'a merge request of a GitLab that does not tell forks',
      changes: { ...mergeRequest, job_project_id: undefined },
    },
    {
      title: 'a child pipeline of a GitLab that does not tell forks',
      changes: { ...child, ref_protected: 'true', job_project_id: undefined },
    },
    ...['trigger', 'pipeline', 'external_pull_request_event', 'PUSH'].map((source) => ({
      title: `a pipeline started by '${source}'`,
      changes: { pipeline_source: source },
    })),
  ]
}

/** Another's group or project whose path is nearly the rule's. */
function pathAttacks({ group, project }: Rule): readonly Changed[] {
  const name = project || 'project'
  return [
    { title: 'another group', changes: at(`mallory/${name}`) },
    { title: 'the path of the group below another', changes: at(`mallory/${group}/${name}`) },
    { title: 'a group that begins like it', changes: at(`${group}-evil/${name}`) },
    { title: 'a group that ends like it', changes: at(`x${group}/${name}`) },
    { title: 'a namespace that begins like the group', changes: { namespace_path: `${group}-evil` } },
    { title: 'another namespace', changes: { namespace_path: 'mallory' } },
    { title: 'a slash at the end of the namespace', changes: { namespace_path: `${group}/` } },
    { title: 'an empty segment in the namespace', changes: { namespace_path: `${group}//x` } },
    { title: 'an empty namespace', changes: { namespace_path: '' } },
    { title: 'a project that begins like it', changes: at(`${group}/${name}2`) },
    { title: 'a project of that name in a group below', changes: at(`${group}/sub/${name}`) },
    { title: "the group's namespace beside another's project", changes: { project_path: `mallory/${name}` } },
  ]
}

function at(projectPath: string): Changes {
  return { project_path: projectPath, namespace_path: projectPath.slice(0, projectPath.lastIndexOf('/')) }
}

function refAttacks(admitted: JsonObject): readonly Changed[] {
  const ref = String(admitted.ref)
  const isTag = admitted.ref_type === 'tag'
  const asBranch = { ref, ref_type: 'branch', ref_path: `refs/heads/${ref}` }
  const asTag = { ref, ref_type: 'tag', ref_path: `refs/tags/${ref}` }
  const named = (name: string) => ({ ref: name, ref_path: `refs/${isTag ? 'tags' : 'heads'}/${name}` })
  return [
    isTag
      ? { title: 'a branch named like the tag', changes: asBranch }
      : { title: 'a tag named like the branch', changes: asTag },
    { title: 'a ref_path of the other kind', changes: { ref_path: (isTag ? asBranch : asTag).ref_path } },
    { title: 'the ref in another case', changes: named(otherCase(ref)) },
    { title: 'a ref that begins like it', changes: named(`${ref}-evil/x`) },
    { title: 'a ref that ends like it', changes: named(`evil/${ref}`) },
    { title: 'a ref_path of another ref', changes: { ref_path: `refs/heads/evil/${ref}` } },
    { title: 'the ref without ref_type', changes: { ref_type: undefined } },
    ...protectionAttacks('ref_protected'),
  ]
}

function idAttacks(): readonly Changed[] {
  return [
    {
      title: 'the same path, registered anew',
      changes: { project_id: STRANGER_ID, job_project_id: STRANGER_ID },
    },
    { title: 'another namespace of the same path', changes: { namespace_id: STRANGER_ID } },
  ]
}
