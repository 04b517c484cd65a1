import { z } from 'zod'
import type { SavedGuardrailsDraft } from '../guardrails/draft-guardrails.ts'
import type { Guardrails } from '../guardrails/guardrails.ts'
import type { GuardrailsSave } from '../guardrails/save-guardrails.ts'
import type { Draft } from '../policy/draft-store.ts'
import type { PolicyVersion } from '../policy/policy-version-store.ts'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'
import { commonDraftJson, draftFields } from './draft-json.ts'
import { failingTestsAnswer, failingTestsJson } from './failing-tests-json.ts'
import type { RouteRefusal } from './route.ts'

const test = z
  .strictObject({
    title: z.string(),
    claims: z.record(z.string(), z.unknown()),
    provider: z.string().optional(),
    time: z.string().optional().meta({ description: 'The moment at which it is decided.' }),
    expect: z.enum(['ALLOWED', 'DENIED']),
    reason: z.string().optional(),
  })
  .meta({ id: 'GuardrailsTest' })

const content = {
  source: z.string().meta({ description: 'Rego, `package claimgate.guardrails`; empty: there are none.' }),
  tests: z.array(test),
  digest: z
    .string()
    .nullable()
    .meta({ description: 'The policy that they are compiled to; null: there are none.' }),
}

const notices = z.array(z.string()).optional()

export const guardrailsAnswer = z
  .strictObject({
    ...content,
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    updateTime: z.iso.datetime(),
  })
  .meta({ id: 'Guardrails' })

/** What a save of them answers: they are there, and what they do to identities' tests. */
export const savedGuardrailsAnswer = guardrailsAnswer
  .extend({
    notices: notices.meta({ description: 'What the save did that its request did not say.' }),
    failingTests: failingTestsAnswer.optional(),
  })
  .meta({ id: 'SavedGuardrails' })

/** Guardrails that were saved a moment ago; `failingTests` undefined where there are none. */
export type SavedGuardrails = GuardrailsSave & { readonly failingTests: FailingTests | undefined }

/** It compiles, and then looks at what identities' tests say. */
export const SAVE_GUARDRAILS_WITHIN_MS = 20_000

export const guardrailsVersionAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`guardrails/versions/` and its number.' }),
    version: z.int(),
    change: z.enum(['UPDATE', 'ROLLBACK', 'ACTIVATION']),
    restoredVersion: z.int().optional().meta({ description: 'The one that a ROLLBACK went back to.' }),
    ...content,
    author: z.string(),
    reason: z.string().nullable(),
    createTime: z.iso.datetime(),
  })
  .meta({ id: 'GuardrailsVersion', description: 'What a save made of the guardrails.' })

export const guardrailsDraftAnswer = z
  .strictObject({
    ...draftFields,
    baseVersion: z
      .int()
      .nullable()
      .meta({ description: 'The version that it was made on; null: there was none.' }),
    ...content,
    notices: notices.meta({
      description:
        'What its activation would do that the request did not say; in the answer to the request alone.',
    }),
  })
  .meta({
    id: 'GuardrailsDraft',
    description: 'What is about to be made of the guardrails; nothing is decided by it.',
  })

export const NO_GUARDRAILS_DRAFT: RouteRefusal = { description: 'There is no draft of the guardrails.' }

/** The guardrails as they are answered. */
export function guardrailsJson({ source, tests, digest, revision, updateTime }: Guardrails) {
  return { source, tests, digest, etag: revision, updateTime: updateTime.toISOString() }
}

/** The same of guardrails that were saved a moment ago. */
export function savedGuardrailsJson({ guardrails, notices, failingTests }: SavedGuardrails) {
  return {
    ...guardrailsJson(guardrails),
    ...(notices.length > 0 && { notices }),
    ...(failingTests !== undefined && { failingTests: failingTestsJson(failingTests) }),
  }
}

/** A version of them. */
export function guardrailsVersionJson(saved: PolicyVersion) {
  const { number, change, restoredNumber, resource, policyDigest, author, reason, createTime } = saved
  return {
    name: `guardrails/versions/${number}`,
    version: number,
    change,
    ...(restoredNumber !== null && { restoredVersion: restoredNumber }),
    ...resource,
    digest: policyDigest,
    author,
    reason,
    createTime: createTime.toISOString(),
  }
}

/** What is about to be made of them. */
export function guardrailsDraftJson(draft: Draft, notices: SavedGuardrailsDraft['notices'] = []) {
  return {
    ...commonDraftJson('guardrails', draft),
    ...draft.resource,
    digest: draft.policyDigest,
    ...(notices.length > 0 && { notices }),
  }
}
