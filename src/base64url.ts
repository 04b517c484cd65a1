const ALPHABET = /^[A-Za-z0-9_-]+$/

/**
 * Reads base64url (RFC 4648 section 5, without padding) that could be written in no other way. Undefined for what does not
 * encode back to itself: nothing at all, padding, newlines, stray bits, other alphabets.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
