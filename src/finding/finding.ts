export type FindingGrade = 'CRITICAL' | 'WARNING' | 'NOTE'

/** Every finding there is, with its grade. */
export const FINDING_GRADES = {
  whole_group_open: 'CRITICAL',
  no_project: 'WARNING',
  all_refs: 'WARNING',
  unprotected_refs: 'WARNING',
  shared_audience: 'WARNING',
  merge_request_membership: 'WARNING',
  administrative_role: 'WARNING',
  open_source: 'WARNING',
  foreign_workflow: 'WARNING',
  merge_requests: 'NOTE',
  no_id_pinned: 'NOTE',
  long_lifetime: 'NOTE',
  reusable_token: 'NOTE',
} as const satisfies Readonly<Record<string, FindingGrade>>

export type FindingCode = keyof typeof FINDING_GRADES

/** What an identity lets in that its author may not mean to. Legal, and by default saved all the same. */
export type Finding = {
  readonly code: FindingCode
  readonly grade: FindingGrade
  /** The id of the rule that it is about; absent where it is about the identity. */
  readonly rule?: string
  /** Whom it lets in, in a sentence about people. */
  readonly message: string
  /** The change that would end it and leaves the rest as it is. */
  readonly change: string
}
