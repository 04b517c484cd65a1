import type { JsonObject } from '../json.ts'

/**
 * `required`: every token has it or is refused. `checked`: a condition of the rules reads it.
 * `personal`: about a person, dropped unless asked for. `known`: GitLab sends it, nothing of ours reads it.
 */
export type ClaimFile = 'required' | 'checked' | 'personal' | 'known'
export type ClaimType = 'string' | 'number' | 'array' | 'object' | 'string or array'
export type KnownClaim = { readonly file: ClaimFile; readonly type: ClaimType }

/** Every claim that GitLab is known to send in `id_tokens`, until GitLab 18.9. */
export const gitlabClaims: ReadonlyMap<string, KnownClaim> = new Map<string, KnownClaim>([
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
])

/** Claims about a person, of every provider: neither evaluated nor stored unless `recordedClaims` lists them. */
export const PERSONAL_CLAIMS: readonly string[] = [
  'user_login',
  'user_email',
  'user_identities',
  'groups_direct',
  'actor',
]

/** What a rule without `pipelineSources` admits: pipelines that somebody with write access to the project starts. */
export const DEFAULT_PIPELINE_SOURCES: readonly string[] = ['push', 'web', 'schedule', 'api']

/** What GitLab calls the ways to start a pipeline; `merge_request_event` is left to a rule's `mergeRequests`. */
export const PIPELINE_SOURCES: readonly string[] = [
  ...DEFAULT_PIPELINE_SOURCES,
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
]

/** The claims that may be evaluated and stored: all but the personal ones that `recordedClaims` does not list. */
export function recordableClaims(claims: JsonObject, recordedClaims: readonly string[]): JsonObject {
  const dropped = PERSONAL_CLAIMS.filter((name) => !recordedClaims.includes(name))
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !dropped.includes(name)))
}

/** The names in a token that this file does not know: worth a line in the log, GitLab has something new. */
export function unknownClaims(claims: JsonObject): readonly string[] {
  return Object.keys(claims).filter((name) => !gitlabClaims.has(name) && !PERSONAL_CLAIMS.includes(name))
}

function filed(file: ClaimFile, type: ClaimType, names: readonly string[]): [string, KnownClaim][] {
  return names.map((name) => [name, { file, type }])
}
