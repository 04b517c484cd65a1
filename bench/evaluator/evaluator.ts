export type EvaluatorCommand = {
  readonly wasm: Uint8Array
  readonly email: string
  readonly inFlight: number
  readonly seconds: number
}

export type EvaluatorAnswer = {
  readonly seconds: number
  readonly latenciesMs: Float64Array
  readonly errors: number
  readonly processorMs: number
  readonly residentMb: number
}
