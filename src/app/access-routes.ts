import type { AccessAnswer } from '../access-evaluation/answer-access.ts'
import { type EvaluateAccessDeps, evaluateAccess } from '../access-evaluation/evaluate-access.ts'
import { OUTCOME_OF } from '../decision/reasons.ts'
import {
  type EvaluateAccessRouteDeps,
  evaluateAccessRoute,
  evaluateManyAccessRoute,
} from '../http/evaluate-access.ts'
import { getAuthzenConfigurationRoute } from '../http/get-authzen-configuration.ts'
import type { Route } from '../http/route.ts'
import { parseEmail } from '../identity/identity-email.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import type { Parts } from './parts.ts'

/** Of requests with many evaluations: as many at once as share a statement, and what else may wait for these. */
const MANY_AT_ONCE = 32
const MANY_WAITING = 2_000
/** As long as there is time to record it. */
const MANY_WAIT_MS = 4_000

/** What services behind us ask: AuthZEN, and where it is. */
export function accessRoutes(parts: Parts): readonly Route[] {
  const deps = evaluateAccessDeps(parts)
  const evaluate: EvaluateAccessRouteDeps = {
    async evaluateAccess(request, questions, semantic) {
      const answers = await evaluateAccess(deps, request, questions, semantic)
      for (const answer of answers) count(parts, answer)
      return answers
    },
  }
  return [
    evaluateAccessRoute(evaluate),
    evaluateManyAccessRoute(evaluate),
    getAuthzenConfigurationRoute(parts.config),
  ]
}

function count({ telemetry }: Parts, { context }: AccessAnswer): void {
  if ('reason' in context) telemetry.metrics.countAccess(OUTCOME_OF[context.reason], context.reason)
}

function evaluateAccessDeps(parts: Parts): EvaluateAccessDeps {
  const { attempts, evaluator, identityCache, issuerCache, liveTokens, membershipCache, rolePermissions } =
    parts
  const origin = (callerIp: string) => ({ isVerified: false, callerIp, issuerUrl: null, claims: null })
  return {
    clock: parts.clock,
    newDecisionId: parts.newDecisionId,
    findLiveToken: (token) => liveTokens.find(token, 'any'),
    findIdentity: identityCache.find,
    isEmail: (text) => parseEmail(text) !== undefined,
    findIssuer: issuerCache.find,
    findRolePermissions: rolePermissions.find,
    findMemberships: membershipCache.find,
    policyDigest: parts.accessPolicyDigest,
    evaluatePolicy: evaluator.evaluateAccess,
    recordDecision: parts.recordDecision,
    // It is a service that asks, whoever's tokens it was shown: it is never told that these are too many.
    keepsRow: (callerIp) => parts.refusalLimits.count(origin(callerIp), true).keepsRow,
    countAttempt: (callerIp, decision) => attempts.unverified.count(origin(callerIp), decision),
    inTurn: limitConcurrency(
      MANY_AT_ONCE,
      MANY_WAITING,
      'Too many evaluations are waiting; ask again.',
      MANY_WAIT_MS,
    ),
    forgetCached({ identity, identityId, issuerUrl, decidedOn }) {
      rolePermissions.forget()
      if (decidedOn.tokenDecisionId !== null) liveTokens.forget(decidedOn.tokenDecisionId)
      if (identity !== null) identityCache.forget(identity)
      if (issuerUrl !== null) issuerCache.forget(issuerUrl)
      if (identityId !== null && decidedOn.resourceProject !== null) {
        membershipCache.forget(identityId, decidedOn.resourceProject)
      }
    },
  }
}
