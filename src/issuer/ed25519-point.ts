const P = 2n ** 255n - 19n
const D = modulo(-121_665n * power(121_666n, P - 2n))
/** The y of the four points of order 8, up to its sign (RFC 7748 section 6.1 names why such points are dangerous). */
const Y_OF_ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n
const SMALL_ORDER_Y = new Set([0n, 1n, P - 1n, Y_OF_ORDER_8, P - Y_OF_ORDER_8])

/**
 * Whether 32 bytes are the encoding (RFC 8032 section 5.1.2) of a point on edwards25519 that is not of small order: under a key of
 * small order signatures can be made that fit many messages, and the platform's import takes any bytes.
 */
export function isSafeEd25519Point(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false
  const encoded = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
  const y = encoded & (2n ** 255n - 1n)
  return y < P && !SMALL_ORDER_Y.has(y) && isOnCurve(y)
}

/** From -x² + y² = 1 + dx²y²: x² = (y² - 1) / (dy² + 1) must have a root, which Euler's criterion tells. */
function isOnCurve(y: bigint): boolean {
  const square = modulo(y * y)
  const xSquared = modulo((square - 1n) * power(modulo(D * square + 1n), P - 2n))
  return power(xSquared, (P - 1n) / 2n) === 1n
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let factor = modulo(base)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = modulo(result * factor)
    factor = modulo(factor * factor)
  }
  return result
}

function modulo(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}
