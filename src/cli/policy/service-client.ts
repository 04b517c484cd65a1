import { readFileSync } from 'node:fs'
import type { ClientConfig } from '../../config/env.ts'
import { shownText } from '../../fields/field-path.ts'
import type { Flags } from '../command.ts'

/** A refusal of the service, as it says it. */
export class ServiceError extends Error {
  readonly status: number
  readonly details: readonly unknown[]

  constructor(status: number, message: string, details: readonly unknown[]) {
    super(message)
    this.name = 'ServiceError'
    this.status = status
    this.details = details
  }
}

/** Calls a service's API as whoever the token stands for. */
export type ServiceClient = {
  readonly url: string
  /** Throws `ServiceError` where it is refused, and a sentence where nobody answers. */
  post(path: string, body: unknown): Promise<unknown>
}

/** A plan of a thousand new identities takes half a minute. */
const ANSWER_WITHIN_MS = 150_000

const WHERE_IT_IS = 'where the service is, as in https://claimgate.example.com'

export const CLIENT_FLAGS = { url: { type: 'string' }, 'token-file': { type: 'string' } } as const
export const CLIENT_OPTIONS = [
  ['--url URL', WHERE_IT_IS],
  ['--token-file FILE', 'holds the access token or admin token; without it ACCESS_TOKEN or else ADMIN_TOKEN'],
] as const

/** Throws a sentence where address or token are missing. */
export function createServiceClient(config: ClientConfig, flags: Flags): ServiceClient {
  const url = readUrl(flags.url)
  const token = readToken(config, flags['token-file'])
  return {
    url,
    async post(path, body) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
        // The token is for this address and no other.
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      }).catch((error: Error) => {
        throw new Error(
          `${url} does not answer: ${error.cause instanceof Error ? error.cause.message : error.message}`,
        )
      })
      const answer = await readJson(url, response)
      if (response.ok) return answer
      throw new ServiceError(
        response.status,
        String(answer.message),
        (answer.details ?? []) as readonly unknown[],
      )
    },
  }
}

function readUrl(flag: string | boolean | undefined): string {
  if (typeof flag !== 'string') throw new Error(`--url URL is needed: ${WHERE_IT_IS}.`)
  // A path is put behind it, and a plan for one is a plan for the other.
  const url = flag.replace(/\/+$/, '')
  if (/^https?:\/\/[^/?#]+(\/[^?#]+)?$/.test(url) && URL.canParse(url)) return url
  throw new Error(`--url must be ${WHERE_IT_IS}, not ${shownText(flag)}.`)
}

function readToken({ token }: ClientConfig, file: string | boolean | undefined): string {
  const given = typeof file === 'string' ? readFileSync(file, 'utf8').trim() : token
  if (given === undefined || given === '' || given === 'null') {
    throw new Error('A token is needed: ACCESS_TOKEN, ADMIN_TOKEN, or --token-file FILE.')
  }
  if (/^[\x21-\x7e]+$/.test(given)) return given
  throw new Error('The token has other characters than a token may have.')
}

async function readJson(url: string, response: Response): Promise<Record<string, unknown>> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(
      `${url} answers ${response.status} with what is no JSON: is it claimgate, and no proxy in front?`,
    )
  }
}
