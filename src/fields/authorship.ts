/** Who makes a save and why; `change` and `restoredNumber` where it is no plain one. */
export type Authorship = {
  readonly author: string
  readonly reason: string | undefined
  /** Why the findings may be, where the author says so. */
  readonly acknowledge?: string | undefined
  readonly change?: 'ROLLBACK' | 'ACTIVATION'
  /** The version that a ROLLBACK goes back to. */
  readonly restoredNumber?: number
  /** Of the request that asks for it, where there is one. */
  readonly requestId?: string
  readonly callerIp?: string
}
