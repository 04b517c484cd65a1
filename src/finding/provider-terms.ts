import type { WorkloadIdentityConfig } from '../identity/workload-identity.ts'

/** A provider's words for people and places, and its names of claims: all that findings know of it. */
export type ProviderTerms = {
  /** Who may push to a branch that nothing protects: "every Developer". */
  readonly writer: string
  /** Who may change what is protected, of the projects that are named after it. */
  readonly maintainer: string
  readonly group: string
  readonly mergeRequest: string
  /** Where a project's number is found. */
  readonly projectNumber: string
  readonly howToProtect: string
  /** Claims that a rule narrows itself by where its `claims` names one of them. */
  readonly claims: {
    readonly project: readonly string[]
    /** Numbers that are never given again. */
    readonly ids: readonly string[]
    readonly ref: readonly string[]
    /** `"true"` on protected branches and tags. */
    readonly protection: string
    readonly source: string
    /** Its values that stand for a merge request, or may. */
    readonly mergeRequestSources: readonly string[]
  }
  /** Audiences that jobs ask for to go elsewhere, so that others hold such tokens too. */
  readonly isSharedAudience: (audience: string, config: WorkloadIdentityConfig) => boolean
}

/** What jobs are told to ask for by widely used services, on every provider. */
const SERVICE_AUDIENCES: readonly string[] = ['sigstore', 'sts.amazonaws.com', 'api://AzureADTokenExchange']

const GITLAB: ProviderTerms = {
  writer: 'every Developer',
  maintainer: 'everybody who may push or merge to a protected branch or create a protected tag',
  group: 'group',
  mergeRequest: 'merge request',
  projectNumber: "the project's number (project_id in the token, Settings, General in GitLab)",
  howToProtect: 'protect the branches and tags in GitLab (Settings, Repository)',
  claims: {
    project: ['project_path', 'project_id'],
    ids: ['project_id', 'namespace_id'],
    ref: ['ref', 'ref_path'],
    protection: 'ref_protected',
    source: 'pipeline_source',
    mergeRequestSources: ['merge_request_event', 'parent_pipeline'],
  },
  isSharedAudience: (audience, { issuerUrl }) =>
    SERVICE_AUDIENCES.includes(audience) || withoutSlash(audience) === withoutSlash(issuerUrl),
}

export const PROVIDER_TERMS: Readonly<Record<WorkloadIdentityConfig['providerType'], ProviderTerms>> = {
  GITLAB,
}

function withoutSlash(url: string): string {
  return url.toLowerCase().replace(/\/$/, '')
}
