import { createRowCache } from '../db/row-cache.ts'
import type { Guardrails } from './guardrails.ts'
import type { GuardrailsStore } from './guardrails-store.ts'

export type GuardrailsCache = {
  find(): Promise<Guardrails>
  forget(): void
}

const KEY = 'current'

/** Remembers the guardrails until a decision finds their revision gone. */
export function createGuardrailsCache({ current }: Pick<GuardrailsStore, 'current'>): GuardrailsCache {
  const rows = createRowCache({ max: 1, load: current })
  return {
    async find() {
      return (await rows.find(KEY)).row ?? current()
    },
    forget: () => rows.forget(KEY),
  }
}
