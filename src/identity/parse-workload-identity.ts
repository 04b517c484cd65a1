import type { ZodType } from 'zod'
import type { FieldProblem } from '../fields/describe-issue.ts'
import { fieldPath, shownList, shownText } from '../fields/field-path.ts'
import { findClaimProblem } from '../fields/find-claim-problem.ts'
import { findTextProblem } from '../fields/find-text-problem.ts'
import { type ReadFields, readFields } from '../fields/read-fields.ts'
import { isJsonObject, type JsonObject } from '../json.ts'
import type { PolicyTest } from '../policy-test/policy-test.ts'
import { PROVIDERS } from '../provider/providers.ts'
import { type FormerRules, type MatchedRule, matchRules } from './match-rules.ts'
import { changeNotices, noticesFor } from './notices-for.ts'
import { checkRule, completeRule, findDuplicate } from './parse-rule.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'
import {
  DENIAL_REASONS,
  OUTPUT_ONLY,
  type WorkloadIdentityBody,
  workloadIdentitySchema,
} from './workload-identity-schema.ts'

/** What a body is read against: the email it will have, the service's default lifetime. */
export type ParseContext = {
  readonly email: string
  /** Says what is wrong with a role that a rule names, or undefined. */
  readonly findRoleProblem: (role: string) => string | undefined
  readonly tokenLifetimeSeconds: number
  /** The rules as they are stored, where the body changes an identity. */
  readonly former?: FormerRules
}

const NO_RULES: FormerRules = { rules: [], lastRuleNumber: 0 }

export type ParsedWorkloadIdentity =
  | { readonly ok: true; readonly spec: WorkloadIdentitySpec; readonly notices: readonly string[] }
  | {
      readonly ok: false
      readonly field: string
      readonly message: string
      /** It is no body of an identity at all, whatever its rules. */
      readonly isMisshapen: boolean
    }

/**
 * Reads the body of a create, or what a change would make of an identity, into what is stored, every default written
 * out, or names the first field that is wrong and how to mend it. What is read is a fixed point: an answer given back
 * means the same.
 * Output-only fields are ignored (AIP-203), except where ignoring one would surprise: name, email, state.
 * Whether the issuer's URL is one that may be fetched is left to whoever registers the issuer.
 */
export function parseWorkloadIdentity(body: unknown, context: ParseContext): ParsedWorkloadIdentity {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const message = 'must be a JSON object, a WorkloadIdentity'
    return { ok: false, field: 'body', message, isMisshapen: true }
  }
  const read = readIdentityBody(workloadIdentitySchema, body)
  if (!read.ok) return refused(read.problem, true)

  const provider = PROVIDERS[read.value.workloadIdentityConfig.providerType]
  const rules = matchRules(read.value.workloadIdentityConfig.rules, context.former ?? NO_RULES, provider)
  const [problem] = problemsOf(read.value, rules, context)
  if (problem !== undefined) return refused(problem, false)
  const spec = complete(read.value, rules, context)
  const notices = [...changeNotices(read.value, rules, spec), ...noticesFor(spec)]
  return { ok: true, spec, notices: notices.map(({ path, message }) => `${fieldPath(path)}: ${message}`) }
}

/** What is wrong with a body of an identity beyond its shape, which must fit: at most one problem of each rule. */
export function findIdentityProblems(
  body: WorkloadIdentityBody,
  context: ParseContext,
): readonly FieldProblem[] {
  const textProblem = unstorableText(body)
  if (textProblem !== undefined) return [textProblem]
  const { rules, providerType } = body.workloadIdentityConfig
  return [...problemsOf(body, matchRules(rules, NO_RULES, PROVIDERS[providerType]), context)]
}

function* problemsOf(
  body: WorkloadIdentityBody,
  matched: readonly MatchedRule[],
  context: ParseContext,
): Generator<FieldProblem> {
  const problem = identityProblem(body, context)
  if (problem !== undefined) yield problem
  yield* rulesProblems(body, matched, context)
  yield* testsProblems(body.tests ?? [])
}

/** Reads a body of an identity, whole or in part, by its schema; text that must not be stored is refused before. */
export function readIdentityBody<Body>(schema: ZodType<Body>, body: object): ReadFields<Body> {
  const textProblem = unstorableText(body)
  if (textProblem !== undefined) return { ok: false, problem: textProblem }
  return readFields(schema, body, hintFor)
}

function unstorableText(body: object): FieldProblem | undefined {
  const { tests, ...rest } = withoutRego(withoutOutputOnly(body))
  return (
    findTextProblem({ ...rest, tests: withoutClaims(tests) }) ?? findClaimProblem(claimsOf(tests), ['tests'])
  )
}

/** What comes with a later version is told from what is no field at all. */
function hintFor(path: readonly PropertyKey[]): string | undefined {
  const field = path.at(-1)
  if (field === 'conditions' && path.length === 1) return 'goes into workloadIdentityConfig'
  if (field === 'tests' && path.length > 1) return 'stands beside workloadIdentityConfig, not in it'
  return undefined
}

function refused(problem: FieldProblem, isMisshapen: boolean): ParsedWorkloadIdentity {
  return { ok: false, field: fieldPath(problem.path) || 'body', message: problem.message, isMisshapen }
}

/** A test's claims may hold what nothing else may: what somebody might put into a token. */
function withoutClaims(tests: unknown): unknown {
  if (!Array.isArray(tests)) return tests
  return tests.map((test) => (isJsonObject(test) ? { ...test, claims: null } : test))
}

/** In the places where they stand, so that a problem names the right one. */
function claimsOf(tests: unknown): unknown {
  if (!Array.isArray(tests)) return undefined
  return tests.map((test) => (isJsonObject(test) ? { claims: test.claims } : null))
}

function withoutOutputOnly(body: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !OUTPUT_ONLY.includes(name)))
}

/** Rego has lines, and what else must not stand in it is said with its place. */
function withoutRego({
  workloadIdentityConfig,
  ...rest
}: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isJsonObject(workloadIdentityConfig)) return { ...rest, workloadIdentityConfig }
  const { conditions: _conditions, ...config } = workloadIdentityConfig
  return { ...rest, workloadIdentityConfig: config }
}

function identityProblem(body: WorkloadIdentityBody, context: ParseContext): FieldProblem | undefined {
  const { email } = context
  if (body.name !== undefined && body.name !== `workloadIdentities/${email}`) {
    return {
      path: ['name'],
      message: `must be workloadIdentities/${email}, or left out: it follows from the id`,
    }
  }
  if (body.email !== undefined && body.email !== email) {
    return { path: ['email'], message: emailMessage(body.email, email) }
  }
  if (body.state !== undefined && body.state !== 'ACTIVE') {
    return { path: ['state'], message: 'must be ACTIVE, or left out: an identity begins active' }
  }
  return (
    findDuplicate(['tokenAudiences'], body.tokenAudiences) ??
    findDuplicate(['recordedClaims'], body.recordedClaims) ??
    findDuplicate(
      ['workloadIdentityConfig', 'allowedAudiences'],
      body.workloadIdentityConfig.allowedAudiences,
    )
  )
}

function emailMessage(given: string, email: string): string {
  const domain = email.slice(email.indexOf('@'))
  if (!given.endsWith(domain)) return `${shownText(given)} must end with '${domain}': it will be ${email}`
  return `must be ${email}, or left out: it follows from the id`
}

function* rulesProblems(
  body: WorkloadIdentityBody,
  matched: readonly MatchedRule[],
  context: ParseContext,
): Generator<FieldProblem> {
  const { rules, providerType } = body.workloadIdentityConfig
  for (const [index, rule] of rules.entries()) {
    const at = ['workloadIdentityConfig', 'rules', index]
    const id = matched[index]?.id ?? ''
    const first = matched.findIndex((other) => other.id === id)
    if (first < index) {
      yield { path: [...at, 'id'], message: `${shownText(id)} is the id of rules[${first}] already` }
      continue
    }
    const problem = checkRule(rule, id, PROVIDERS[providerType], context.findRoleProblem)
    if (problem !== undefined) yield { path: [...at, ...problem.path], message: problem.message }
  }
}

type TestBody = NonNullable<WorkloadIdentityBody['tests']>[number]

function* testsProblems(tests: readonly TestBody[]): Generator<FieldProblem> {
  for (const [index, { title, expect, reason }] of tests.entries()) {
    const first = tests.findIndex((other) => other.title === title)
    if (first < index) {
      const message = `${shownText(title)} is the title of tests[${first}] already: a failing test is told by its title`
      yield { path: ['tests', index, 'title'], message }
      continue
    }
    if (reason !== undefined && (reason === 'allowed') !== (expect === 'ALLOWED')) {
      const reasons = expect === 'ALLOWED' ? ['allowed'] : DENIAL_REASONS
      const message = `must be ${shownList(reasons)} where expect is ${expect}, not ${shownText(reason)}`
      yield { path: ['tests', index, 'reason'], message }
    }
  }
}

/** What came in a body is JSON, whatever its shape. */
function completeTest({ title, claims, time, expect, reason }: TestBody): PolicyTest {
  return {
    title,
    claims: claims as JsonObject,
    ...(time !== undefined && { time }),
    expect,
    ...(reason !== undefined && { reason }),
  }
}

function complete(
  body: WorkloadIdentityBody,
  matched: readonly MatchedRule[],
  context: ParseContext,
): WorkloadIdentitySpec {
  const { providerType, issuerUrl, allowedAudiences, rules, conditions } = body.workloadIdentityConfig
  return {
    title: body.title ?? context.email.slice(0, context.email.indexOf('@')),
    tokenLifetimeSeconds: body.tokenLifetimeSeconds ?? context.tokenLifetimeSeconds,
    subjectTokenUse: body.subjectTokenUse ?? 'ONCE',
    tokenAudiences: body.tokenAudiences ?? [],
    recordedClaims: body.recordedClaims ?? [],
    workloadIdentityConfig: {
      providerType,
      issuerUrl,
      allowedAudiences: allowedAudiences ?? [issuerUrl],
      rules: rules.map((rule, index) =>
        completeRule(rule, matched[index]?.id ?? '', PROVIDERS[providerType], matched[index]?.former),
      ),
      ...(conditions && { conditions }),
    },
    tests: (body.tests ?? []).map(completeTest),
  }
}
