import type { IncomingMessage } from 'node:http'
import { invalidArgument, RequestError } from '../errors.ts'
import { decodeUtf8, type JsonValue, parseJsonStrictly } from '../json.ts'
import type { BodyLimit } from './route.ts'

/** Deeper than any resource of ours. */
const MAX_DEPTH = 32
/** A member takes ten bytes at least. */
const BYTES_PER_MEMBER = 10

/**
 * Reads a JSON body of at most `limit` bytes: UTF-8, uncompressed, an object without repeated members.
 * Throws a `RequestError` that says what is wrong with it.
 */
export async function readJsonBody(request: IncomingMessage, limit: BodyLimit): Promise<JsonValue> {
  refuseOtherContent(request)
  const bytes = await readBytes(request, limit)
  const text = decodeUtf8(bytes)
  if (text === undefined) throw invalidArgument('The body is not UTF-8.')
  const parsed = parseJsonStrictly(text, { maxDepth: MAX_DEPTH, maxMembers: limit / BYTES_PER_MEMBER })
  if (!parsed.ok) throw invalidArgument(`The body ${parsed.problem}.`)
  if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    throw invalidArgument('The body must be a JSON object.')
  }
  return parsed.value
}

function refuseOtherContent(request: IncomingMessage): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';')
  const charsets = parameters
    .map((parameter) => parameter.trim())
    .filter((text) => text.startsWith('charset='))
  const isUtf8 = charsets.every((charset) => /^charset="?utf-8"?$/.test(charset))
  if (type.trim() !== 'application/json' || !isUtf8) {
    throw new RequestError('unsupported_media_type', 'Content-Type must be application/json in UTF-8.')
  }
  if ((request.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
    throw new RequestError(
      'unsupported_media_type',
      'Content-Encoding is not supported: send the body as it is.',
    )
  }
}

/** Reads a body to its end. What follows after the limit is read past, so that its sender hears the answer. */
function readBytes(request: IncomingMessage, limit: BodyLimit): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    request.on('data', (part: Buffer) => {
      length += part.length
      if (length <= limit) parts.push(part)
    })
    request.on('end', () => {
      if (length <= limit) resolve(Buffer.concat(parts))
      else reject(new RequestError('payload_too_large', `The body is larger than ${limit / 1024} KiB.`))
    })
    request.on('error', () => reject(invalidArgument('The body ended early.')))
  })
}
