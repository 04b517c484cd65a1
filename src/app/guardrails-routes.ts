import { createOneAtATime } from '../db/one-at-a-time.ts'
import { guardrailsBody } from '../guardrails/guardrails-schema.ts'
import { saveGuardrails } from '../guardrails/save-guardrails.ts'
import { getGuardrailsRoute } from '../http/get-guardrails.ts'
import { getGuardrailsVersionRoute } from '../http/get-guardrails-version.ts'
import { listGuardrailsVersionsRoute } from '../http/list-guardrails-versions.ts'
import type { Route } from '../http/route.ts'
import { updateGuardrailsRoute } from '../http/update-guardrails.ts'
import { insertPolicy } from '../policy/policy-store.ts'
import type { Parts } from './parts.ts'

export function guardrailsRoutes(parts: Parts): readonly Route[] {
  const { db, clock, guardrails, pageTokens, prepareGuardrails } = parts
  const inTurn = createOneAtATime()
  const changes = { db, clock, prepareGuardrails, insertPolicy }
  return [
    getGuardrailsRoute({ guardrails }),
    updateGuardrailsRoute({
      guardrailsBody,
      saveGuardrails: ({ name: author }, body, ifMatch) =>
        inTurn('guardrails', () => saveGuardrails(changes, body, { author, ifMatch })),
    }),
    listGuardrailsVersionsRoute({ guardrails, pageTokens }),
    getGuardrailsVersionRoute({ guardrails }),
  ]
}
