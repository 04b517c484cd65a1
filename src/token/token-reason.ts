/** Why a token is refused, in the order in which reasons are looked for: the first that applies is given. */
export type TokenReason =
  | 'token_malformed'
  | 'token_algorithm'
  | 'token_type'
  | 'token_issuer'
  | 'issuer_unavailable'
  | 'token_key'
  | 'token_signature'
  | 'token_claims'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_age'

/** One check's answer: `message` is whole sentences in plain words for a job's log. */
export type TokenProblem = { readonly reason: TokenReason; readonly message: string }
