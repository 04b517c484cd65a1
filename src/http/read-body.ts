import express, { type Request, type Response } from 'express'
import { invalidArgument, RequestError } from '../errors.ts'
import { decodeUtf8, type JsonValue, parseJsonStrictly } from '../json.ts'
import { type BodyLimit, LARGE_BODY, SMALL_BODY } from './route.ts'

/** Deeper than any resource of ours; a member limit would only repeat the byte limit. */
const BODY_LIMITS = { maxDepth: 32, maxMembers: 50_000 }

/**
 * Reads a JSON body of at most `limit` bytes: UTF-8, uncompressed, an object without repeated members.
 * Throws a `RequestError` that says what is wrong with it.
 */
export async function readJsonBody(
  request: Request,
  response: Response,
  limit: BodyLimit,
): Promise<JsonValue> {
  refuseOtherContent(request)
  const bytes = await readBytes(request, response, limit)
  const text = decodeUtf8(bytes)
  if (text === undefined) throw invalidArgument('The body is not UTF-8.')
  const parsed = parseJsonStrictly(text, BODY_LIMITS)
  if (!parsed.ok) throw invalidArgument(`The body is not acceptable JSON: ${parsed.problem}.`)
  if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    throw invalidArgument('The body must be a JSON object.')
  }
  return parsed.value
}

function refuseOtherContent(request: Request): void {
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

const READERS = { [SMALL_BODY]: createReader(SMALL_BODY), [LARGE_BODY]: createReader(LARGE_BODY) }

function createReader(limit: BodyLimit) {
  return express.raw({ type: () => true, limit, inflate: false })
}

async function readBytes(request: Request, response: Response, limit: BodyLimit): Promise<Uint8Array> {
  const read = READERS[limit]
  await new Promise<void>((resolve, reject) => {
    read(request, response, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(bodyProblem(error, limit))
    })
  })
  return Buffer.isBuffer(request.body) ? request.body : new Uint8Array()
}

function bodyProblem(error: unknown, limit: number): unknown {
  const { type } = error as { type?: string }
  if (type === 'entity.too.large') {
    return new RequestError('payload_too_large', `The body is larger than ${limit / 1024} KiB.`)
  }
  if (type === 'request.aborted' || type === 'request.size.invalid')
    return invalidArgument('The body ended early.')
  return error
}
