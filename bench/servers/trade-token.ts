import { importJWK, type JWK, jwtVerify, SignJWT } from 'jose'

/** What a bare server does with a body that it has parsed: verify RS256, sign ES256, and nothing else. */
export type TradeToken = (body: unknown) => Promise<object>

export async function createTradeToken(settings: {
  issuerUrl: string
  publicJwk: JWK
  signingJwk: JWK
}): Promise<TradeToken> {
  const { issuerUrl } = settings
  const verificationKey = await importJWK(settings.publicJwk, 'RS256')
  const signingKey = await importJWK(settings.signingJwk, 'ES256')
  return async (body) => {
    const { token, email } = body as { token: string; email: string }
    const options = { algorithms: ['RS256'], issuer: issuerUrl, audience: issuerUrl, typ: 'JWT' }
    const { payload } = await jwtVerify(token, verificationKey, options)
    const { project_path, ref_path, pipeline_id, job_id } = payload
    const accessToken = await new SignJWT({
      client_id: email,
      roles: ['roles/gitopsServiceAgent'],
      rules: ['rule-1'],
      workload: { provider: 'GITLAB', project_path, ref_path, pipeline_id, job_id },
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
      .setIssuer('https://claimgate.example.com')
      .setSubject(email)
      .setAudience('https://claimgate.example.com')
      .setIssuedAt()
      .setNotBefore(new Date())
      .setExpirationTime('1h')
      .setJti(String(payload.jti))
      .sign(signingKey)
    return { accessToken, tokenType: 'Bearer', expiresIn: 3600, decisionId: payload.jti }
  }
}
