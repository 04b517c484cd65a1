import type { ColumnType, Generated } from 'kysely'

/** The tables as TypeScript sees them. 64-bit integers arrive as text, timestamps as `Date`. */
export type Schema = {
  issuers: IssuerTable
  policies: PolicyTable
  policy_versions: PolicyVersionTable
  drafts: DraftTable
  projects: ProjectTable
  project_bindings: ProjectBindingTable
  roles: RoleTable
  role_changes: { one: Generated<boolean>; revision: Generated<string> }
  workload_identities: WorkloadIdentityTable
  signing_keys: SigningKeyTable
  used_tokens: UsedTokenTable
  explained_tokens: ExplainedTokenTable
  revoked_tokens: RevokedTokenTable
  readiness: { one: boolean; check_time: Date }
  decisions: DecisionTable
  changes: ChangeTable
  admin_tokens: AdminTokenTable
  guardrails: GuardrailsTable
  decision_retention: { one: Generated<boolean>; days: number }
}

/** Written as the JSON text, read as the value. */
type Json<Value> = ColumnType<Value, string, string>

export type IssuerTable = {
  id: string
  issuer_url: string
  title: string
  provider_type: string
  state: string
  algorithms: string[]
  jwks: ColumnType<unknown, string | null, string | null>
  revision: Generated<string>
  create_time: Date
  update_time: Date
}

export type PolicyTable = {
  digest: string
  compiler: string
  entrypoint: string
  modules: Json<{ path: string; source: string }[]>
  wasm: Buffer
  compile_time: Date
}

export type PolicyVersionTable = {
  subject: string
  number: number
  change: string
  restored_number: number | null
  author: string
  reason: string | null
  state: string
  resource: Json<unknown>
  policy_digest: string | null
  create_time: Date
}

export type DraftTable = {
  subject: string
  resource: Json<unknown>
  policy_digest: string | null
  base_number: number | null
  author: string
  revision: Generated<string>
  impact_id: string | null
  update_time: Date
}

export type ProjectTable = {
  id: string
  title: string
  state: string
  revision: Generated<string>
  /** Of its IamPolicy. */
  iam_revision: Generated<string>
  create_time: Date
  update_time: Date
}

/** A role that an identity has in a project; `rule` is '' where it does not matter by which rule it was let in. */
export type ProjectBindingTable = {
  project_id: string
  role: string
  identity_id: string
  rule: string
}

export type RoleTable = {
  id: string
  title: string
  description: string
  permissions: string[]
  revision: Generated<string>
  create_time: Date
  update_time: Date
}

export type WorkloadIdentityTable = {
  id: string
  email: string
  project_id: string | null
  superseded: Generated<boolean>
  title: string
  state: string
  state_before_delete: string | null
  token_lifetime_seconds: number
  subject_token_use: string
  token_audiences: Json<string[]>
  recorded_claims: Json<string[]>
  config: Json<unknown>
  tests: Json<unknown>
  acknowledgements: Json<unknown>
  last_rule_number: number
  issuer_id: string
  policy_digest: string
  /** Tokens of decisions on earlier revisions are dead. */
  tokens_revoked_revision: Generated<string>
  revision: Generated<string>
  create_time: Date
  update_time: Date
}

export type SigningKeyTable = {
  kid: string
  algorithm: string
  public_jwk: Json<unknown>
  /** Null once it does not sign any more. */
  encrypted_private_key: string | null
  state: string
  create_time: Date
  /** While it is PENDING: when it will begin to sign. Null where it never did. */
  activate_time: Date | null
  retire_time: Date | null
  /** While it is RETIRED: when it will be dropped. */
  drop_time: Date | null
}

export type UsedTokenTable = {
  issuer_url: string
  jti_hash: Buffer
  decision_id: string
  use_time: Date
  keep_until: Date
}

export type ExplainedTokenTable = {
  identity: string
  token_hash: Buffer
  decision_id: string
  keep_until: Date
}

/** By their `jti`, which is their decision's id. */
export type RevokedTokenTable = {
  decision_id: string
  keep_until: Date
}

/** One row: which version counts, and the revision that decisions are recorded on. */
export type GuardrailsTable = {
  one: Generated<boolean>
  /** Of their versions. */
  subject: Generated<string>
  version: number | null
  revision: Generated<string>
  update_time: Date
}

export type DecisionTable = {
  id: string
  kind: string
  outcome: string
  reason: string
  identity: string | null
  identity_id: string | null
  issuer_url: string | null
  subject: string | null
  claims: string | null
  verdict: string | null
  policy_digest: string | null
  guardrails_digest: string | null
  subject_token_hash: Buffer | null
  subject_key_id: string | null
  issued_key_id: string | null
  issued_expire_time: Date | null
  decide_time: Date
  request_id: string | null
  caller_ip: string | null
  user_agent: string | null
  count: Generated<number>
  /** In lower case, to be filtered by; what was recorded of it is among the claims. */
  project_path: string | null
  /** The claimgate project that the identity belonged to. */
  project: string | null
  /** What an access decision is on; null in any other. */
  caller: string | null
  subject_type: string | null
  permission: string | null
  resource_type: string | null
  resource_id: string | null
  /** Null where the identity was not looked at, and in what was recorded before this was. */
  identity_revision: Generated<string | null>
}

export type ChangeTable = {
  id: string
  outcome: string
  author: string
  verb: string
  resource: string
  before: ColumnType<unknown, string | null, never>
  after: ColumnType<unknown, string | null, never>
  reason: string | null
  code: number | null
  message: string | null
  request_id: string | null
  caller_ip: string | null
  count: Generated<number>
  create_time: Date
}

export type AdminTokenTable = {
  id: string
  title: string
  roles: string[]
  secret_hash: Buffer | null
  revision: Generated<string>
  create_time: Date
  update_time: Date
  expire_time: Date | null
  last_use_time: Date | null
  delete_time: Date | null
}
