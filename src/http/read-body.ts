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
  return objectIn(await readText(request, JSON_TYPE, limit), limit)
}

/** The same where there may be none: then, and where it is empty, it is as one without members. */
export async function readJsonBodyIfAny(request: IncomingMessage, limit: BodyLimit): Promise<JsonValue> {
  const bytes = await readBytes(request, limit)
  if (bytes.length === 0) return {}
  refuseOtherContent(request, JSON_TYPE)
  return objectIn(decoded(bytes), limit)
}

function objectIn(text: string, limit: BodyLimit): JsonValue {
  const parsed = parseJsonStrictly(text, { maxDepth: MAX_DEPTH, maxMembers: limit / BYTES_PER_MEMBER })
  if (!parsed.ok) throw invalidArgument(`The body ${parsed.problem}.`)
  if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    throw invalidArgument('The body must be a JSON object.')
  }
  return parsed.value
}

/**
 * Reads a form (RFC 6749 section 3.1: `application/x-www-form-urlencoded`) of at most `limit` bytes. A field without a
 * value is as one that is not there. Throws a `RequestError` for one that is given twice and is not among `repeatable`,
 * which are lists.
 */
export async function readFormBody(
  request: IncomingMessage,
  limit: BodyLimit,
  repeatable: readonly string[],
): Promise<Readonly<Record<string, string | readonly string[]>>> {
  const text = await readText(request, FORM_TYPE, limit)
  if (!isUtf8Encoded(text)) throw invalidArgument('The body is not a form in UTF-8.')
  const fields = new Map<string, string | readonly string[]>()
  for (const [name, values] of Map.groupBy(new URLSearchParams(text), ([name]) => name)) {
    const given = values.map(([, value]) => value).filter((value) => value !== '')
    const [value] = given
    if (values.length > 1 && !repeatable.includes(name)) {
      throw invalidArgument(`The parameter '${name}' is given ${values.length} times.`)
    }
    if (value !== undefined) fields.set(name, repeatable.includes(name) ? given : value)
  }
  return Object.fromEntries(fields)
}

/** `URLSearchParams` would replace in silence what is not. */
function isUtf8Encoded(form: string): boolean {
  try {
    decodeURIComponent(form)
    return true
  } catch {
    return false
  }
}

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

async function readText(
  request: IncomingMessage,
  type: typeof JSON_TYPE | typeof FORM_TYPE,
  limit: BodyLimit,
): Promise<string> {
  refuseOtherContent(request, type)
  return decoded(await readBytes(request, limit))
}

function decoded(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw invalidArgument('The body is not UTF-8.')
  return text
}

function refuseOtherContent(request: IncomingMessage, wanted: string): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';')
  const charsets = parameters
    .map((parameter) => parameter.trim())
    .filter((text) => text.startsWith('charset='))
  const isUtf8 = charsets.every((charset) => /^charset="?utf-8"?$/.test(charset))
  if (type.trim() !== wanted || !isUtf8) {
    throw new RequestError('unsupported_media_type', `Content-Type must be ${wanted} in UTF-8.`)
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
