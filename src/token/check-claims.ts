import type { JsonObject, JsonValue } from '../json.ts'
import { findControlCharacter } from './control-character.ts'

const MAX_TEXT_LENGTH = 255
const MAX_SUBJECT_LENGTH = 2048
const YEAR_2100 = 4_102_444_800 // 2100-01-01T00:00:00Z in seconds

/** The registered claims (RFC 7519 section 4.1) that every accepted token has; times in seconds, fractions allowed. */
export type RegisteredClaims = {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly nbf?: number
}

/** Says which registered claim is missing or of a wrong shape, as a sentence; `iss` was compared already. */
export function checkClaims(claims: JsonObject, hasNonFiniteNumber: boolean): string | undefined {
  return (
    textProblem('sub', claims.sub, MAX_SUBJECT_LENGTH) ??
    audienceProblem(claims.aud) ??
    timeProblem('exp', claims.exp) ??
    timeProblem('iat', claims.iat) ??
    (Object.hasOwn(claims, 'nbf') ? timeProblem('nbf', claims.nbf) : undefined) ??
    textProblem('jti', claims.jti, MAX_TEXT_LENGTH) ??
    (hasNonFiniteNumber ? "One of the token's claims is a number that is too large." : undefined)
  )
}

function textProblem(name: string, value: JsonValue | undefined, maxLength: number): string | undefined {
  if (value === undefined) return `The token's claim ${name} is missing.`
  if (typeof value !== 'string') return `The token's claim ${name} is not a string.`
  if (value === '') return `The token's claim ${name} is empty.`
  if (value.length > maxLength) return `The token's claim ${name} is longer than ${maxLength} characters.`
  if (findControlCharacter(value) !== undefined) return `The token's claim ${name} has a control character.`
  return undefined
}

/** How many audiences there are, and whether one is listed, is another question than whether these are audiences. */
function audienceProblem(value: JsonValue | undefined): string | undefined {
  if (value === undefined) return "The token's claim aud is missing."
  const audiences: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const audience of audiences) {
    if (typeof audience !== 'string')
      return "The token's claim aud is neither a string nor a list of strings."
    if (audience.length > MAX_TEXT_LENGTH) {
      return `The token's claim aud is longer than ${MAX_TEXT_LENGTH} characters.`
    }
    if (findControlCharacter(audience) !== undefined) return "The token's claim aud has a control character."
  }
  return undefined
}

function timeProblem(name: string, value: JsonValue | undefined): string | undefined {
  if (value === undefined) return `The token's claim ${name} is missing.`
  if (typeof value !== 'number') return `The token's claim ${name} is not a number.`
  if (!Number.isFinite(value) || value >= YEAR_2100)
    return `The token's claim ${name} is not before the year 2100.`
  return undefined
}
