import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import { findTimeRangeProblem, timeRangeParameters } from '../fields/time-range.ts'
import type { AccessReason, Reason } from './decision.ts'
import type { DecisionFilter } from './decision-store.ts'
import { OUTCOME_OF } from './reasons.ts'

/** How a list and an export of decisions are told which ones are wanted. */
export const decisionParameters = {
  identity: z.string().meta({ description: 'The email that was asked for.' }),
  outcome: z.enum(['ALLOWED', 'DENIED', 'FAILED']),
  reason: z.enum(Object.keys(OUTCOME_OF) as [Reason, ...(Reason | AccessReason)[]]),
  kind: z.enum(['EXCHANGE', 'DRY_RUN', 'ACCESS']),
  project: z.string().transform(readProject).meta({
    description:
      "A project's path at its provider, as in `my-group/my-project`, compared without case; or a project of claimgate, as in `projects/payments` or `payments`.",
  }),
  resource: z.string().transform(readResource).meta({
    description:
      'What access was asked for: `projects/payments`, or `workspaces/default`. Only access decisions.',
  }),
  ...timeRangeParameters('decisions'),
}

export type DecisionParameters = typeof decisionParameters

type Given = { readonly [Name in keyof DecisionParameters]: z.infer<DecisionParameters[Name]> | undefined }

/** What the parameters ask for together. Throws `invalid_argument` where no decision could ever be meant. */
export function readDecisionFilter({ project, resource, ...rest }: Given): DecisionFilter {
  const problem = findTimeRangeProblem(rest)
  if (problem !== undefined) throw invalidArgument(problem)
  return { ...rest, ...project, ...resource }
}

function readResource(
  text: string,
  context: z.RefinementCtx,
): Pick<DecisionFilter, 'resourceType' | 'resourceId'> {
  const [, collection, id] = /^(projects|workspaces)\/([^/\s]+)$/u.exec(text) ?? []
  if (id !== undefined)
    return { resourceType: collection === 'projects' ? 'project' : 'workspace', resourceId: id }
  context.addIssue({
    code: 'custom',
    message: "must be a project, as in 'projects/payments', or 'workspaces/default'",
  })
  return z.NEVER
}

const PROJECT_ID = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/

/** GitLab and GitHub keep the name `projects` for themselves, so no path of a project there is `projects/ID`. */
function readProject(
  text: string,
  context: z.RefinementCtx,
): Pick<DecisionFilter, 'project' | 'projectPath'> {
  const id = text.startsWith('projects/') ? text.slice('projects/'.length) : text
  if (PROJECT_ID.test(id)) return { project: id }
  if (id === text && /^[^/\s]+(\/[^/\s]+)+$/u.test(text)) return { projectPath: text.toLowerCase() }
  context.addIssue({
    code: 'custom',
    message:
      "must be a project's path at its provider, as in 'my-group/my-project', or a project of claimgate, as in 'projects/payments'",
  })
  return z.NEVER
}
