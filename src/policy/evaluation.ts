import type { AccessVerdict } from './access-verdict.ts'

/** What every identity's policy is asked for, what the guardrails are, and what the policy of access decisions is. */
export const ENTRYPOINT = 'claimgate/verdict'
export const GUARDRAILS_ENTRYPOINT = 'claimgate/guardrails_verdict/verdict'
export const ACCESS_ENTRYPOINT = 'claimgate/access/verdict'

/** What came of running a policy; `cause` is for the log alone. */
export type EvaluationResult =
  | {
      readonly ok: true
      readonly allow: boolean
      /** Why not, the first of these that applies; undefined where it is allowed. */
      readonly denial: ExchangeDenial | undefined
      /** Whether any rule's condition `group` is met: only then may the caller learn more. */
      readonly groupMet: boolean
      readonly roles: readonly string[]
      /** The ids of the rules that are met. */
      readonly ruleIds: readonly string[]
      /** The verdict as JSON text, as it is recorded. */
      readonly verdictText: string
    }
  | FailedEvaluation

export type ExchangeDenial = 'condition_not_met' | 'denied_by_conditions' | 'denied_by_guardrails'

export type FailedEvaluation = {
  readonly ok: false
  readonly reason: 'policy_error' | 'policy_timeout' | 'policy_memory'
  readonly cause: string
  /** That it were the guardrails, and not the policy that they are beside. */
  readonly isOfGuardrails?: true
}

/** The same of the policy of access decisions. */
export type AccessEvaluation =
  | {
      readonly ok: true
      readonly allow: boolean
      readonly denial: Exclude<AccessVerdict['reason'], 'allowed'> | undefined
      readonly verdictText: string
    }
  | FailedEvaluation

export type AnyEvaluation = EvaluationResult | AccessEvaluation

/** At least one of the two policies, and the input as JSON text. */
export type EvaluationRequest = {
  /** The identity's policy; undefined: the guardrails are run alone. */
  readonly digest: string | undefined
  /** The guardrails beside it; undefined where there are none. */
  readonly guardrailsDigest: string | undefined
  /** That the policy is that of access decisions, which no guardrails are beside. */
  readonly isAccess?: true
  readonly inputText: string
}

/** What a worker is told, in this order; everything that gathered in one tick goes in one message. */
export type WorkerCommand =
  | { readonly kind: 'load'; readonly digest: string; readonly code: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'drop'; readonly digest: string }
  | ({ readonly kind: 'evaluate'; readonly id: number } & EvaluationRequest)

export type WorkerAnswer = {
  readonly id: number
  /** Of the kind that was asked for. */
  readonly result: AnyEvaluation
  /** What the policy's memory has grown to. */
  readonly memoryBytes: number
}

export type WorkerSettings = {
  readonly state: SharedArrayBuffer
  readonly deadlineMs: number
  readonly isBackground: boolean
}

/**
 * Where a worker says what it is at, in a BigInt64Array that its owner reads even while it is busy: the evaluation's
 * id, the time of `process.hrtime` by which it has to be done (0: idle), the processor time of the thread when it, or the
 * first of those that are evaluated together, began, in microseconds, and whether it has come to the guardrails (1).
 */
export const STATE_ID = 0
export const STATE_DEADLINE = 1
export const STATE_PROCESSOR_TIME = 2
export const STATE_AT_GUARDRAILS = 3
export const STATE_BYTES = 32

/** What an evaluation failed in that did not end by itself, as the worker left its state. */
export function partAt(state: BigInt64Array): Pick<FailedEvaluation, 'isOfGuardrails'> {
  return Atomics.load(state, STATE_AT_GUARDRAILS) === 1n ? { isOfGuardrails: true } : {}
}

/**
 * A policy's memory begins with 256 KiB, which most never outgrow, and ends at 16 MiB. V8 commits what is used, but
 * counts all of it when it decides how soon to look for garbage.
 */
export const INITIAL_PAGES = 4
/** What it begins with where its constants need more than that: those of all Rego that is compiled fit. */
export const ROOMY_PAGES = 16
export const MAXIMUM_PAGES = 256
export const PAGE_BYTES = 65_536
