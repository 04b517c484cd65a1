import { filed, type Provider } from './provider.ts'

const USUAL_EVENTS = ['push', 'workflow_dispatch', 'schedule']

const ANY_PUBLIC = '{place} (where it is public: everybody on GitHub)'

const PULL_REQUEST = 'is never admitted, because nothing in the token tells the pull request of a fork'

/**
 * GitHub Actions, GitHub's own service and GitHub Enterprise Server (issuer `https://HOST/_services/token`).
 * https://docs.github.com/en/actions/reference/security/oidc
 */
export const github: Provider = {
  name: 'GitHub',
  issuerUrl: 'https://token.actions.githubusercontent.com',
  algorithms: ['RS256'],
  claims: new Map([
    ...filed('required', 'string', ['iss', 'sub', 'jti']),
    ...filed('required', 'string or array', ['aud']),
    ...filed('required', 'number', ['exp', 'iat']),
    ...filed('checked', 'number', ['nbf']),
    ...filed('checked', 'string', ['repository', 'repository_id', 'repository_owner', 'repository_owner_id']),
    ...filed('checked', 'string', ['ref', 'ref_type', 'ref_protected', 'event_name', 'head_ref']),
    ...filed('personal', 'string', ['actor']),
    ...filed('known', 'string', ['actor_id', 'base_ref', 'environment', 'repository_visibility', 'sha']),
    ...filed('known', 'string', ['workflow', 'workflow_ref', 'workflow_sha']),
    ...filed('known', 'string', ['job_workflow_ref', 'job_workflow_sha']),
    ...filed('known', 'string', ['run_id', 'run_number', 'run_attempt', 'check_run_id']),
    ...filed('known', 'string', ['runner_environment', 'environment_node_id', 'issuer_scope']),
    ...filed('known', 'string', ['enterprise', 'enterprise_id']),
  ]),
  claimPrefixes: ['repo_property_'],
  names: {
    group: 'repository_owner',
    groupId: 'repository_owner_id',
    project: 'repository',
    projectId: 'repository_id',
    jobProjectId: undefined,
    refType: 'ref_type',
    refName: undefined,
    refPath: 'ref',
    refProtected: 'ref_protected',
    source: 'event_name',
  },
  group: {
    what: 'the name of the organisation or user',
    example: 'my-org',
    isNested: false,
    segment: /^[A-Za-z0-9][A-Za-z0-9_-]*$/,
    maxSegment: 39,
    segmentRule:
      "but GitHub's organisations and users have only letters, digits, '-' and '_', and a letter or digit first: take the name from the page's address, not the display name",
    endings: /(?!)/,
  },
  project: {
    what: 'the name of the repository',
    example: 'my-repository',
    isNested: false,
    segment: /^[A-Za-z0-9_.-]+$/,
    maxSegment: 100,
    segmentRule: "but GitHub's repositories have only letters, digits, '_', '.' and '-' in their names",
    endings: /(?:\.git|\.wiki|^\.\.?)$/i,
  },
  sources: {
    usual: USUAL_EVENTS,
    known: [
      ...USUAL_EVENTS,
      'branch_protection_rule',
      'check_run',
      'check_suite',
      'create',
      'delete',
      'deployment',
      'deployment_status',
      'discussion',
      'discussion_comment',
      'dynamic',
      'fork',
      'gollum',
      'image_version',
      'issue_comment',
      'issues',
      'label',
      'merge_group',
      'milestone',
      'page_build',
      'public',
      'registry_package',
      'release',
      'repository_dispatch',
      'status',
      'watch',
    ],
    refused: {
      pull_request: `${PULL_REQUEST}: leave it out, and let the job run on push or workflow_dispatch`,
      pull_request_target: `${PULL_REQUEST}, and its ref is that of the branch it goes into: leave it out, and let the job run on push or workflow_dispatch`,
      pull_request_review: `${PULL_REQUEST}: leave it out, and let the job run on push or workflow_dispatch`,
      pull_request_review_comment: `${PULL_REQUEST}: leave it out, and let the job run on push or workflow_dispatch`,
      workflow_run:
        'is never admitted, because it may follow the pull request of a fork and does not say so: leave it out, and let the job run on push or workflow_dispatch',
    },
    startedBy: {
      check_run: `everybody who may open a pull request for ${ANY_PUBLIC}, by the checks of its commits,`,
      check_suite: `everybody who may open a pull request for ${ANY_PUBLIC}, by the checks of its commits,`,
      discussion: `everybody who may take part in discussions of ${ANY_PUBLIC}`,
      discussion_comment: `everybody who may take part in discussions of ${ANY_PUBLIC}`,
      fork: `everybody who may fork ${ANY_PUBLIC}`,
      gollum: 'everybody who may edit the wiki of {place}',
      issue_comment: `everybody who may comment on issues and pull requests of ${ANY_PUBLIC}`,
      issues: `everybody who may open an issue of ${ANY_PUBLIC}`,
      merge_group:
        'everybody whose pull request is put into the merge queue of {place}, before it is merged,',
      status: `everybody who may open a pull request for ${ANY_PUBLIC}, by the status of its commits,`,
      watch: `everybody who may star ${ANY_PUBLIC}`,
    },
    mergeRequest: 'pull_request',
    hidden: 'workflow_run',
  },
  reusable: { workflow: 'job_workflow_ref', commit: 'job_workflow_sha' },
  tellsForks: false,
  pinsWholeGroup: true,
  workload: {
    project_id: 'repository_id',
    project_path: 'repository',
    namespace_path: 'repository_owner',
    ref_path: 'ref',
    ref_type: 'ref_type',
    pipeline_source: 'event_name',
    pipeline_id: 'run_id',
    job_id: 'check_run_id',
    environment: 'environment',
    sha: 'sha',
    run_attempt: 'run_attempt',
    workflow_ref: 'workflow_ref',
    job_workflow_ref: 'job_workflow_ref',
  },
  shownClaims: ['repository', 'ref', 'event_name', 'aud'],
  sample: { head_ref: '' },
  jobClaims: ['environment', 'runner_environment'],
  environmentClaims: ['environment_node_id'],
  since: {},
  texts: {
    setAudience:
      "have the workflow ask for its token with the audience {audience} (core.getIDToken with it, or '&audience=' and it at the end of ACTIONS_ID_TOKEN_REQUEST_URL)",
    noticeAudience:
      "a workflow must ask for its token with this audience (core.getIDToken with it, or '&audience=' and it at the end of ACTIONS_ID_TOKEN_REQUEST_URL), because GitHub itself puts the address of the repository's owner there",
    starDiffers: '',
    mergeRequestRef:
      "a pull request's token names no branch: let the job run on a push to a branch or tag that the rule names",
    protectRef: 'protect the branch or tag in GitHub (Settings, Rules, or Settings, Branches)',
    protectMergeRequest:
      'pull requests are never admitted: let the job run on a push to a protected branch or tag',
    mergeRequest:
      'pull requests are never admitted, because nothing in the token tells those of forks: ' +
      'let the job run on push or workflow_dispatch',
    hiddenSource:
      'a workflow_run may follow the pull request of a fork and does not say so, so it is never admitted: ' +
      'let the job run on push or workflow_dispatch',
    noSource: 'the token must say which event started the workflow: GitHub always sends event_name',
    fork:
      'the job may run code of a fork, because it belongs to a pull request or to a workflow_run, which does not say: ' +
      'let it run on push or workflow_dispatch',
    forkUntold: 'the token must say which event started the workflow: GitHub always sends event_name',
    addSource: "start the workflow by one of these events, or have the rule's pipelineSources extended",
    namespaceId:
      'the repository belongs to another owner than the rule pins (transferred, or the name was registered anew): ' +
      "if it is the right one, have the rule's ids.namespaceIds changed",
    sentByChoice: '',
    environment: "give the job such an environment, as in 'environment: production'",
    runner: 'run the job on such a runner (runs-on)',
  },
  people: {
    writer: 'everybody with write access to',
    maintainer: 'everybody who may push or merge to a protected branch or create a protected tag of',
    project: 'repository',
    projects: 'repositories',
    anyProject: "any repository of '{group}'",
    mergeRequest: 'pull request',
    projectNumber: "the repository's number (repository_id in the token)",
    groupNumber: "the owner's number (repository_owner_id in the token)",
    isOwnAudience(audience, issuerUrl) {
      const url = URL.parse(audience)
      const ownHost = URL.parse(issuerUrl)?.host.replace(/^token\.actions\./, '')
      return /^\/[^/]+\/?$/.test(url?.pathname ?? '') && ['github.com', ownHost].includes(url?.host)
    },
  },
}
