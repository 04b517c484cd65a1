/** Which of its resources a page of a list has, in the list's order. */
export type ListQuery = {
  readonly showDeleted: boolean
  /** The place after which it begins; undefined: the beginning. */
  readonly after: string | undefined
  readonly limit: number
}
