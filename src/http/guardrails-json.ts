import { z } from 'zod'
import type { Guardrails, GuardrailsVersion } from '../guardrails/guardrails.ts'

const test = z
  .strictObject({
    title: z.string(),
    claims: z.record(z.string(), z.unknown()),
    provider: z.string().optional(),
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

export const guardrailsAnswer = z
  .strictObject({
    ...content,
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    updateTime: z.iso.datetime(),
  })
  .meta({ id: 'Guardrails' })

export const guardrailsVersionAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`guardrails/versions/` and its number.' }),
    version: z.int(),
    ...content,
    author: z.string(),
    createTime: z.iso.datetime(),
  })
  .meta({ id: 'GuardrailsVersion' })

/** The guardrails as they are answered. */
export function guardrailsJson({ source, tests, digest, revision, updateTime }: Guardrails) {
  return { source, tests, digest, etag: revision, updateTime: updateTime.toISOString() }
}

/** A version of them. */
export function guardrailsVersionJson(saved: GuardrailsVersion) {
  const { version, source, tests, digest, author, createTime } = saved
  return {
    name: `guardrails/versions/${version}`,
    version,
    source,
    tests,
    digest,
    author,
    createTime: createTime.toISOString(),
  }
}
