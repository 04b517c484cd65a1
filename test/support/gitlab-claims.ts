/** Members of a token's claims; one that is undefined is left out. */
export type Claims = Readonly<Record<string, unknown>>

/** 18.2 has job_project_* only in its later patch releases. */
export type GitlabVersion = '15.7' | '16' | '18.1' | '18.2' | '18.2 with job_project' | '18.4' | '18.9'

const SHA = '714a629c0b401fdce83e847fc9589983fc6f46bc'

/**
 * What GitLab of a version says about a job (docs.gitlab.com, "ID token authentication"): by default a push to the
 * protected branch main of acme/app. `overrides` change what they name and what necessarily follows from it;
 * the token's own claims (iss, aud, exp, nbf, iat, jti) are added when it is signed.
 */
export function gitlabClaims(version: GitlabVersion, overrides: Claims = {}): Claims {
  const where = projectClaims(overrides)
  const from = refClaims(version, overrides)
  return withoutAbsent({
    ...where,
    sub: `project_path:${where.project_path}:ref_type:${from.ref_type}:ref:${from.ref}`,
    ...userClaims(version),
    pipeline_id: '574',
    pipeline_source: 'push',
    job_id: '302',
    ...from,
    ...(isSince(version, '16') && { runner_id: 1, runner_environment: 'gitlab-hosted', sha: SHA }),
    ...(isSince(version, '18.1') && configurationClaims(where, from)),
    ...(isSince(version, '18.2 with job_project') && jobProjectClaims(where)),
    ...(isSince(version, '18.9') && {
      job_source: 'push',
      job_config: { url: configurationUrl(where, from), sha: SHA },
    }),
    ...overrides,
  })
}

/** A merge request from a branch of the same project; the branches of merge requests are rarely both protected. */
export function mergeRequest(overrides: Claims = {}): Claims {
  return { pipeline_source: 'merge_request_event', ref: 'feature', ref_protected: 'false', ...overrides }
}

/** A merge request from a fork, run in the parent: project_* name the fork, job_project_* the parent. */
export function forkMergeRequest(forkPath: string, overrides: Claims = {}): Claims {
  return mergeRequest({
    project_id: '21',
    project_path: forkPath,
    namespace_id: '73',
    job_project_id: '20',
    job_project_path: 'acme/app',
    job_namespace_id: '72',
    job_namespace_path: 'acme',
    ...overrides,
  })
}

/** A push of a tag. */
export function tag(name: string, overrides: Claims = {}): Claims {
  return { ref: name, ref_type: 'tag', ...overrides }
}

/** The same pipeline's child: its source hides what its parent's was. */
export function childPipeline(parent: Claims = {}): Claims {
  return { ...parent, pipeline_source: 'parent_pipeline' }
}

const VERSIONS: readonly GitlabVersion[] = [
  '15.7',
  '16',
  '18.1',
  '18.2',
  '18.2 with job_project',
  '18.4',
  '18.9',
]

function isSince(version: GitlabVersion, first: GitlabVersion): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(first)
}

function projectClaims(overrides: Claims): Claims {
  const path = text(overrides, 'project_path', 'acme/app')
  return {
    namespace_id: text(overrides, 'namespace_id', '72'),
    namespace_path: text(overrides, 'namespace_path', path.split('/').slice(0, -1).join('/')),
    project_id: text(overrides, 'project_id', '20'),
    project_path: path,
  }
}

function userClaims(version: GitlabVersion): Claims {
  return {
    user_id: '1',
    user_login: 'sample-user',
    user_email: 'sample-user@example.com',
    ...(isSince(version, '18.1') && { user_access_level: 'developer' }),
  }
}

function refClaims(version: GitlabVersion, overrides: Claims): Claims {
  const ref = text(overrides, 'ref', 'main')
  const type = text(overrides, 'ref_type', 'branch')
  const path = `refs/${type === 'tag' ? 'tags' : 'heads'}/${ref}`
  return {
    ref,
    ref_type: type,
    ...(isSince(version, '16') && { ref_path: path }),
    ref_protected: overrides.pipeline_source === 'merge_request_event' ? 'false' : 'true',
  }
}

function configurationClaims(where: Claims, from: Claims): Claims {
  return {
    ci_config_ref_uri: `gitlab.example.com/${where.project_path}//.gitlab-ci.yml@${from.ref_path}`,
    ci_config_sha: SHA,
    project_visibility: 'private',
  }
}

function jobProjectClaims(where: Claims): Claims {
  return {
    job_namespace_id: where.namespace_id,
    job_namespace_path: where.namespace_path,
    job_project_id: where.project_id,
    job_project_path: where.project_path,
  }
}

function configurationUrl(where: Claims, from: Claims): string {
  return `https://gitlab.example.com/${where.project_path}/-/blob/${from.ref}/.gitlab-ci.yml`
}

/** What else follows from an override that is no text (or absent) is told by the default. */
function text(overrides: Claims, name: string, fallback: string): string {
  const value = overrides[name]
  return typeof value === 'string' ? value : fallback
}

function withoutAbsent(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}
