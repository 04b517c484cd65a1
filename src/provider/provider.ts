/**
 * `required`: every token has it or is refused. `checked`: a condition of the rules reads it.
 * `personal`: about a person, dropped unless asked for. `known`: the provider sends it, nothing of ours reads it.
 */
export type ClaimFile = 'required' | 'checked' | 'personal' | 'known'
export type ClaimType = 'string' | 'number' | 'array' | 'object' | 'string or array'
export type KnownClaim = { readonly file: ClaimFile; readonly type: ClaimType }

/** What a provider calls what every rule speaks of. */
export type ClaimNames = {
  /** The group that holds the project, as its path. */
  readonly group: string
  readonly groupId: string
  /** The project with its group, as a path. */
  readonly project: string
  readonly projectId: string
  /** The project whose code the job runs, where the token tells; equal to `projectId` but in a fork's merge request. */
  readonly jobProjectId: string | undefined
  /** `branch` or `tag`. */
  readonly refType: string
  /** The name of the branch or tag, where it has a claim of its own. */
  readonly refName: string | undefined
  /** `refs/heads/` or `refs/tags/` and the name. */
  readonly refPath: string
  readonly refProtected: string
  /** How the pipeline was started. */
  readonly source: string
}

/** What the paths of groups, or of projects within their group, look like. */
export type PathRule = {
  /** What a rule's author would call it, as in `the path of the group`. */
  readonly what: string
  readonly example: string
  /** Whether it may have several segments. */
  readonly isNested: boolean
  readonly segment: RegExp
  readonly maxSegment: number
  /** What `segment` demands, in words that follow the bad segment. */
  readonly segmentRule: string
  /** How no segment ends. */
  readonly endings: RegExp
}

/** The ways to start a pipeline. */
export type Sources = {
  /** What a rule without `pipelineSources` admits: what somebody with write access to the project starts. */
  readonly usual: readonly string[]
  /** All that the provider is known to send and a rule may list. */
  readonly known: readonly string[]
  /** What no rule may list, with the reason and the mend, in words that follow the name. */
  readonly refused: Readonly<Record<string, string>>
  /** Of what may be listed but is started by others than those who may push, who they are; `{place}` stands for the project. */
  readonly startedBy: Readonly<Record<string, string>>
  /** How the one of merge requests begins. */
  readonly mergeRequest: string
  /** The one that hides whether a merge request is behind it. */
  readonly hidden: string
}

/** What is said of a provider's own pages and versions; each mend is in words that follow a colon. */
export type ProviderTexts = {
  /** `{audience}` stands for those that are allowed. */
  readonly setAudience: string
  /** What a workflow has to do for the audience that is allowed by default; undefined where nothing is special. */
  readonly noticeAudience: string | undefined
  /** How `*` in a pattern differs from the provider's own patterns; empty where it does not. */
  readonly starDiffers: string
  readonly mergeRequestRef: string
  readonly protectRef: string
  readonly protectMergeRequest: string
  readonly mergeRequest: string
  readonly hiddenSource: string
  readonly noSource: string
  readonly fork: string
  /** Where the claim that tells a fork is not in the token. */
  readonly forkUntold: string
  readonly addSource: string
  readonly namespaceId: string
  /** That some personal claims are sent only by choice; empty where they always are. */
  readonly sentByChoice: string
  readonly environment: string
  readonly runner: string
}

/** Who is let in by what, in words that findings put together. */
export type People = {
  /** Who may push to a branch that nothing protects, before the name of a project. */
  readonly writer: string
  /** Who may change what is protected, likewise. */
  readonly maintainer: string
  readonly project: string
  readonly projects: string
  /** What a rule without a project covers; `{group}` stands for its group. */
  readonly anyProject: string
  readonly mergeRequest: string
  /** Where a project's number is found. */
  readonly projectNumber: string
  /** Where the number is found that pins a whole group; undefined where none does. */
  readonly groupNumber: string | undefined
  /** Whether the provider itself puts this into `aud` where a job asks for no audience. */
  readonly isOwnAudience: (audience: string, issuerUrl: string) => boolean
}

/** All that one provider of job tokens does differently from the others. */
export type Provider = {
  readonly name: string
  /** The issuer of the provider's own service, of which everybody can have tokens. */
  readonly issuerUrl: string
  /** What its tokens are signed with unless the issuer says otherwise. */
  readonly algorithms: readonly ('RS256' | 'ES256' | 'ES384' | 'PS256' | 'EdDSA')[]
  readonly claims: ReadonlyMap<string, KnownClaim>
  /** How the names of claims begin that an organisation makes up for itself. */
  readonly claimPrefixes: readonly string[]
  readonly names: ClaimNames
  readonly group: PathRule
  readonly project: PathRule
  readonly sources: Sources
  /** The claims that name a workflow of another project which runs in the job's place, and its commit. */
  readonly reusable: { readonly workflow: string; readonly commit: string } | undefined
  /** Whether a rule may admit merge requests: only where a token tells those of forks. */
  readonly tellsForks: boolean
  /** Whether the group's id is that of the whole group, so that it can be pinned without a project. */
  readonly pinsWholeGroup: boolean
  /** What an access token says of the job, each with the claim that it comes from; nobody's name. */
  readonly workload: Readonly<Record<string, string>>
  /** The claims that a refused job is shown of its own token. */
  readonly shownClaims: readonly string[]
  /** What a sample has that a rule admits, beside what follows from the rule. */
  readonly sample: Readonly<Record<string, string>>
  /** What a rule may well ask for where all of its jobs are alike in it, beside what rules have fields for. */
  readonly jobClaims: readonly string[]
  /** Claims of a job's environment, beside `environment`. */
  readonly environmentClaims: readonly string[]
  /** From which version of the provider on a claim is sent. */
  readonly since: Readonly<Record<string, string>>
  readonly texts: ProviderTexts
  readonly people: People
}

/** Claims of one file and type, as entries of `claims`. */
export function filed(
  file: ClaimFile,
  type: ClaimType,
  names: readonly string[],
): readonly (readonly [string, KnownClaim])[] {
  return names.map((name) => [name, { file, type }])
}
