import type { RecordDecision } from '../decision/record-decisions.ts'

/** Refusals of tokens that did not verify never share a statement with decisions on those that did. */
export function recordInTwoLanes(createLane: () => RecordDecision): RecordDecision {
  const [verified, unverified] = [createLane(), createLane()]
  return (decision, options) =>
    (decision.decidedOn.identityRevision === undefined ? unverified : verified)(decision, options)
}
