import type { AllowedDecision, Recorded } from '../decision/decision.ts'
import type { ExchangeDeps } from '../exchange/exchange-token.ts'
import { createClaimReport } from '../identity/claim-report.ts'
import { recordableClaims, unknownClaims } from '../identity/recordable-claims.ts'
import { signAccessToken } from '../issuance/access-token.ts'
import { PROVIDERS } from '../provider/providers.ts'
import { tokenAudiences } from '../token/token-audiences.ts'
import { verifyToken } from '../token/verify-token.ts'
import type { Parts } from './parts.ts'

/** What an exchange is made with: its functions, wrapped by what watches them. */
export function exchangeDeps(parts: Parts): ExchangeDeps {
  const { config, clock, log, keys, decisions, attempts, telemetry, signatures } = parts
  const { guardrailsCache, identities, identityCache, issuerCache, keyCache } = parts
  const reportClaims = createClaimReport(log)
  const verifyDeps = {
    ...config,
    clock,
    findIssuer: issuerCache.find,
    findKey: keyCache.findKey,
    verifySignature: signatures.verify,
  }
  return {
    clock,
    newDecisionId: parts.newDecisionId,
    verifyToken: telemetry.step('verify', async (text: string) => {
      const token = await verifyToken(verifyDeps, text)
      if (token.verified) reportClaims(unknownClaims(token.claims, PROVIDERS[token.issuer.providerType]))
      return token
    }),
    findIdentity: identityCache.find,
    reloadIdentity: identities.findToJudge,
    findGuardrails: guardrailsCache.find,
    recordableClaims,
    tokenAudiences,
    evaluatePolicy: telemetry.step('evaluate', parts.evaluator.evaluate),
    fallbackPolicyDigests: parts.fallbackPolicyDigests,
    publicUrl: config.publicUrl,
    signingKeyId: keys.activeKeyId,
    refusalLimits: parts.refusalLimits,
    countAttempt: (origin, attempt) =>
      (origin.isVerified ? attempts.verified : attempts.unverified).count(origin, attempt),
    recordDecision: telemetry.step('record', parts.recordDecision),
    signAccessToken: telemetry.step('sign', (decision: Recorded<AllowedDecision>) =>
      signAccessToken({ keys, issuer: config.publicUrl, sign: signatures.sign }, decision),
    ),
    findEarlierUse: decisions.findEarlierUse,
    async forgetCached(decision) {
      guardrailsCache.forget()
      identityCache.forget(decision.identity)
      if (decision.issuerUrl !== null) issuerCache.forget(decision.issuerUrl)
      // A refusal names no signing key.
      if (decision.outcome === 'ALLOWED') await keys.refresh()
    },
  }
}
