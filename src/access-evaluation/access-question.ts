/** Whether a subject may do something to a resource, in AuthZEN's terms. */
export type AccessQuestion = {
  readonly subject: { readonly type: string; readonly id: string }
  readonly action: { readonly name: string }
  readonly resource: { readonly type: string; readonly id: string }
}

/** What one of several questions is where it is none: what is wrong with it. */
export type NoQuestion = { readonly problem: string }

/** After which answer those that follow are left out. */
export type Semantic = 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit'

/** Who asks, and how the question came. */
export type AccessRequest = {
  /**
   * Of the resource that stands for whoever asks, who may ask about anybody; undefined for an access token that asks
   * about itself.
   */
  readonly caller: string | undefined
  readonly requestId: string
  readonly callerIp: string
  readonly userAgent: string | null
  /** When it came, of `performance.now()`. */
  readonly arrivedAt: number
}
