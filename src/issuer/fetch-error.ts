const MESSAGES = {
  url: 'The URL of the keys is not one to fetch from: another origin than the issuer, no https, or malformed.',
  dns: 'The host name could not be resolved.',
  address: 'The host name leads to an address that is not public (see PRIVATE_ISSUERS).',
  connection: 'The connection failed.',
  tls: 'The TLS certificate was not accepted (a private CA: NODE_EXTRA_CA_CERTS).',
  timeout: 'There was no complete answer within 5 seconds.',
  redirect: 'The answer was a redirect, which is not followed.',
  status: 'The answer was not 200.',
  size: 'The answer was larger than 256 KiB.',
  json: 'The answer was not well-formed JSON.',
  discovery: 'The discovery document is not one of OpenID Connect.',
  issuer: 'The discovery document names another issuer than the one that is registered.',
  keys: 'The key set has no usable key, or too many.',
} as const

export type FetchErrorCode = keyof typeof MESSAGES

/** A failed fetch: code and public message may be shown; what the network said is the cause, for the log only. */
export class FetchError extends Error {
  readonly code: FetchErrorCode
  readonly publicMessage: string

  constructor(code: FetchErrorCode, cause: unknown) {
    super(MESSAGES[code], { cause })
    this.name = 'FetchError'
    this.code = code
    this.publicMessage = MESSAGES[code]
  }
}
