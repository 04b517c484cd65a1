/** A part of the workspace with identities of its own; a deleted one's identities are let in nowhere. */
export type Project = {
  readonly id: string
  readonly title: string
  readonly state: 'ACTIVE' | 'DELETED'
  /** Changes with every change. */
  readonly revision: string
  /** That of its IamPolicy, which changes by itself. */
  readonly iamRevision: string
  readonly createTime: Date
  readonly updateTime: Date
}
