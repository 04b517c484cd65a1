import { decisionParameters, readDecisionFilter } from '../decision/decision-filter.ts'
import { getDecisionRoute } from '../http/get-decision.ts'
import { metricsRoute } from '../http/get-metrics.ts'
import { healthRoute, type Readiness, readinessRoute } from '../http/health.ts'
import { listDecisionsRoute } from '../http/list-decisions.ts'
import type { Route } from '../http/route.ts'
import { accessRoutes } from './access-routes.ts'
import { adminTokenRoutes } from './admin-token-routes.ts'
import { changeRoutes } from './change-routes.ts'
import { createDraftImpact } from './draft-impact.ts'
import { guardrailsRoutes } from './guardrails-routes.ts'
import { identityRoutes } from './identity-routes.ts'
import { issuerRoutes } from './issuer-routes.ts'
import { jobRoutes } from './job-routes.ts'
import type { Parts } from './parts.ts'
import { projectRoutes } from './project-routes.ts'
import { roleRoutes } from './role-routes.ts'
import { createFailingTestsSearch } from './search-failing-tests.ts'
import { signingKeyRoutes } from './signing-key-routes.ts'

/** What routes need that is neither a part nor made of one. */
type Serving = {
  readonly checkReadiness: () => Promise<Readiness>
  /** For an administrator. */
  readonly readMetrics: () => Promise<string>
}

/** Every route of the service but the description of them all. */
export function createRoutes(parts: Parts, serving: Serving): readonly Route[] {
  const measureDraft = createDraftImpact(parts)
  const searchFailingTests = createFailingTestsSearch(parts)
  return [
    ...jobRoutes(parts),
    ...identityRoutes(parts, measureDraft, searchFailingTests),
    ...projectRoutes(parts),
    ...roleRoutes(parts),
    ...issuerRoutes(parts),
    ...guardrailsRoutes(parts, measureDraft, searchFailingTests),
    ...accessRoutes(parts),
    ...decisionRoutes(parts),
    ...signingKeyRoutes(parts),
    ...adminTokenRoutes(parts),
    ...changeRoutes(parts),
    healthRoute(),
    readinessRoute(serving),
    metricsRoute(serving),
  ]
}

function decisionRoutes({ decisions, pageTokens }: Parts): readonly Route[] {
  return [
    listDecisionsRoute({ decisionParameters, readDecisionFilter, decisions, pageTokens }),
    getDecisionRoute({ decisions }),
  ]
}
