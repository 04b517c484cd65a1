import { isDeepStrictEqual } from 'node:util'
import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import { GUARDRAILS, type GuardrailsSpec } from './guardrails.ts'
import { type GuardrailsStore, lockGuardrails } from './guardrails-store.ts'
import {
  type GuardrailsSave,
  prepareSave,
  type SaveGuardrailsDeps,
  writeGuardrails,
} from './save-guardrails.ts'

/** What has to be done about the guardrails; given to an apply as it is, it does just that. */
export type PlannedGuardrails = {
  readonly etag: string
  readonly before: GuardrailsSpec
  readonly after: GuardrailsSpec
}

/** `policy`: what would decide; undefined where there would be none. */
export type GuardrailsPlan = {
  readonly change: PlannedGuardrails
  /** Of those that decide now; null where there are none. */
  readonly currentDigest: string | null
  readonly policy: PreparedPolicy | undefined
}

export type GuardrailsChangesDeps = SaveGuardrailsDeps & {
  readonly guardrails: Pick<GuardrailsStore, 'current'>
}

/** What would have to change for these to be the guardrails; undefined where they are. Throws as a save does. */
export async function planGuardrails(
  deps: Pick<GuardrailsChangesDeps, 'guardrails' | 'prepareGuardrails'>,
  after: GuardrailsSpec,
): Promise<GuardrailsPlan | undefined> {
  const { source, tests, revision, digest: currentDigest } = await deps.guardrails.current()
  const before = { source, tests }
  if (isDeepStrictEqual(before, after)) return undefined
  const policy = await prepareSave(deps, after)
  return { change: { etag: revision, before, after }, currentDigest, policy }
}

/** Guardrails that are about to be saved in the transaction of other changes. */
export type PreparedGuardrails = {
  /** Of those that decided before; null where there were none. */
  readonly currentDigest: string | null
  readonly policy: PreparedPolicy | undefined
  /** Names the guardrails where they are not what the change was planned for; with `trx` they stay as they are. */
  readonly findStale: (trx?: Database['kysely']) => Promise<readonly string[]>
  readonly save: (trx: Database['kysely'], authorship: Authorship, now: Date) => Promise<void>
  /** What a save made of them. */
  readonly saved: () => GuardrailsSave | undefined
}

/** Compiles and tries guardrails that are to be saved beside others, on what was planned. Throws as a save does. */
export async function prepareGuardrailsChange(
  deps: GuardrailsChangesDeps,
  { etag, spec }: { readonly etag: string; readonly spec: GuardrailsSpec },
): Promise<PreparedGuardrails> {
  const policy = await prepareSave(deps, spec)
  const { digest: currentDigest } = await deps.guardrails.current()
  let saved: GuardrailsSave | undefined
  return {
    currentDigest,
    policy,
    async findStale(trx) {
      const { revision } = trx === undefined ? await deps.guardrails.current() : await lockGuardrails(trx)
      return revision === etag ? [] : [GUARDRAILS]
    },
    async save(trx, authorship, now) {
      const current = await lockGuardrails(trx)
      saved = await writeGuardrails(deps, trx, { current, spec, policy }, authorship, now)
    },
    saved: () => saved,
  }
}
