import { filed, type PathRule, type Provider } from './provider.ts'

const USUAL_SOURCES = ['push', 'web', 'schedule', 'api']

const path: Omit<PathRule, 'what' | 'example'> = {
  isNested: true,
  segment: /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/,
  maxSegment: 255,
  segmentRule:
    "but GitLab's paths have only letters, digits, '_', '.' and '-', and no '-' first: take the path from the page's address, not the display name",
  endings: /(?:\.git|\.atom|\.)$/i,
}

/**
 * GitLab CI, until GitLab 18.9: `id_tokens`.
 * https://docs.gitlab.com/ci/secrets/id_token_authentication/
 */
export const gitlab: Provider = {
  name: 'GitLab',
  issuerUrl: 'https://gitlab.com',
  algorithms: ['RS256'],
  claims: new Map([
    ...filed('required', 'string', ['iss', 'sub', 'jti']),
    ...filed('required', 'string or array', ['aud']),
    ...filed('required', 'number', ['exp', 'iat']),
    ...filed('checked', 'number', ['nbf']),
    ...filed('checked', 'string', ['project_id', 'project_path', 'namespace_id', 'namespace_path']),
    ...filed('checked', 'string', ['job_project_id', 'pipeline_source']),
    ...filed('checked', 'string', ['ref', 'ref_type', 'ref_path', 'ref_protected']),
    ...filed('personal', 'string', ['user_login', 'user_email']),
    ...filed('personal', 'array', ['user_identities', 'groups_direct']),
    ...filed('known', 'string', ['job_project_path', 'job_namespace_id', 'job_namespace_path']),
    ...filed('known', 'string', ['user_id', 'user_access_level', 'pipeline_id', 'job_id', 'job_source']),
    ...filed('known', 'string', ['environment', 'environment_protected', 'environment_action']),
    ...filed('known', 'string', ['deployment_tier', 'deployment_action', 'runner_environment', 'sha']),
    ...filed('known', 'string', ['ci_config_ref_uri', 'ci_config_sha', 'project_visibility']),
    ...filed('known', 'number', ['runner_id']),
    ...filed('known', 'object', ['job_config']),
  ]),
  claimPrefixes: [],
  names: {
    group: 'namespace_path',
    groupId: 'namespace_id',
    project: 'project_path',
    projectId: 'project_id',
    jobProjectId: 'job_project_id',
    refType: 'ref_type',
    refName: 'ref',
    refPath: 'ref_path',
    refProtected: 'ref_protected',
    source: 'pipeline_source',
  },
  group: { ...path, what: 'the path of the group', example: 'my-group/my-subgroup' },
  project: { ...path, what: 'the path of the project', example: 'my-project' },
  sources: {
    usual: USUAL_SOURCES,
    known: [
      ...USUAL_SOURCES,
      'trigger',
      'pipeline',
      'parent_pipeline',
      'chat',
      'webide',
      'external',
      'external_pull_request_event',
      'ondemand_dast_scan',
      'ondemand_dast_validation',
      'security_orchestration_policy',
      'pipeline_execution_policy_schedule',
      'container_registry_push',
      'duo_workflow',
    ],
    refused: {},
    // The others are started by people who may also push, as which GitLab runs them.
    startedBy: {
      trigger: 'whoever holds a pipeline trigger token of {place}, whoever that is,',
      external_pull_request_event:
        'everybody who may open a pull request on GitHub from a branch of the repository that {place} mirrors',
      chat: 'whoever writes in a chat that is connected to {place}, under the name of somebody who may run its pipelines,',
      security_orchestration_policy: 'whoever may change the security policies that apply to {place}',
      pipeline_execution_policy_schedule: 'whoever may change the security policies that apply to {place}',
    },
    mergeRequest: 'merge_request_event',
    hidden: 'parent_pipeline',
  },
  reusable: undefined,
  tellsForks: true,
  pinsWholeGroup: false,
  workload: {
    project_id: 'project_id',
    project_path: 'project_path',
    namespace_path: 'namespace_path',
    ref_path: 'ref_path',
    ref_type: 'ref_type',
    pipeline_source: 'pipeline_source',
    pipeline_id: 'pipeline_id',
    job_id: 'job_id',
    environment: 'environment',
    sha: 'sha',
  },
  shownClaims: ['project_path', 'ref_path', 'pipeline_source', 'aud'],
  sample: {},
  jobClaims: ['environment', 'runner_environment'],
  environmentClaims: ['environment_protected', 'environment_action', 'deployment_tier', 'deployment_action'],
  since: {
    ref_path: '16.0',
    runner_id: '16.0',
    sha: '16.0',
    ci_config_ref_uri: '16.2',
    ci_config_sha: '16.2',
    project_visibility: '16.3',
    job_project_id: '18.4',
    job_project_path: '18.4',
    job_namespace_id: '18.4',
    job_namespace_path: '18.4',
    job_source: '18.9',
    job_config: '18.9',
  },
  texts: {
    setAudience: 'in .gitlab-ci.yml set aud under id_tokens to {audience}, as one string',
    noticeAudience: undefined,
    starDiffers: "unlike in GitLab's protected branches",
    mergeRequestRef:
      "a merge request's token names its source branch: use a rule for merge requests, or run the job on a branch or tag that the rule names",
    protectRef:
      'protect the branch or tag in GitLab (Settings, Repository, Protected branches or Protected tags)',
    protectMergeRequest:
      'GitLab says true for a merge request only where its source and target branch are both protected: ' +
      'run the job on a protected branch or tag, or use a rule for merge requests',
    mergeRequest:
      'run the job in a branch or tag pipeline, or have a rule with mergeRequests SAME_PROJECT and empty refs made',
    hiddenSource:
      'a child pipeline may belong to a merge request, so it passes only on a protected branch or tag: ' +
      'run the job in the parent pipeline, or protect the branch',
    noSource: 'the token must say how its pipeline was started: GitLab always sends pipeline_source',
    fork:
      "the job runs in another project than its pipeline's code comes from, as for a fork's merge request: " +
      'push the branch to the project itself and run the job from there',
    forkUntold:
      'GitLab before 18.4 does not say where the job runs: update GitLab to 18.4 (or to a patch release of 18.2 or ' +
      '18.3 that has the claim job_project_id), or run the job in a pipeline started by push, web, schedule, api, chat ' +
      'or webide',
    addSource: "start the pipeline in one of these ways, or have the rule's pipelineSources extended",
    namespaceId:
      'the project is in another namespace than the rule pins (moved, or the path was registered anew): ' +
      "if it is the right one, have the rule's ids.namespaceIds changed",
    sentByChoice: ' (and GitLab sends some only by choice)',
    environment: "give the job such an environment, as in 'environment: production'",
    runner: 'run the job on such a runner (by its tags)',
  },
  people: {
    writer: 'every Developer of',
    maintainer: 'everybody who may push or merge to a protected branch or create a protected tag of',
    project: 'project',
    projects: 'projects',
    anyProject: "any project in '{group}' or a group below it",
    mergeRequest: 'merge request',
    projectNumber: "the project's number (project_id in the token; Settings, General in GitLab)",
    groupNumber: undefined,
    isOwnAudience: () => false,
  },
}
