import { type ZodType, z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { invalidArgument } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { acknowledge } from './finding-json.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { SAVE_REFUSALS } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

type Deps = {
  workloadIdentityBody: ZodType
  createWorkloadIdentity: (
    caller: Caller,
    id: string,
    body: unknown,
    projectId: string | undefined,
    authorship: Authorship,
  ) => Promise<SavedIdentity>
}

/** `POST …/workloadIdentities?workloadIdentityId=ID` of the workspace, and of a project. */
export function createWorkloadIdentityRoutes(deps: Deps): readonly Route[] {
  return [
    createRoute(
      deps,
      '/v1/workspaces/default/workloadIdentities',
      'Create an identity with its rules, which become its policy.',
    ),
    createRoute(
      deps,
      '/v1/projects/{project}/workloadIdentities',
      'Create an identity of a project: it has its roles in this project only.',
    ),
  ]
}

function createRoute(deps: Deps, path: string, summary: string): Route {
  return defineRoute({
    method: 'POST',
    path,
    group: 'Workload identities',
    summary,
    access: 'claimgate.workloadIdentities.create',
    query: {
      workloadIdentityId: z.string().meta({ description: 'Required: the part of its email before @.' }),
      reason: reasonParameter,
      acknowledge,
    },
    body: { schema: deps.workloadIdentityBody, limit: LARGE_BODY, isReadByHandler: true },
    answer: workloadIdentityAnswer,
    refusals: SAVE_REFUSALS,
    async handle({ params: { project }, query, body, note, ...by }) {
      const id = query.workloadIdentityId
      if (!id)
        throw invalidArgument('The parameter workloadIdentityId is required: the part of the email before @.')
      const saved = await deps.createWorkloadIdentity(by.caller, id, body, project, authorshipOf(by, query))
      note({ identity: saved.identity.email })
      return taggedAnswer(workloadIdentityJson(saved.identity, saved))
    },
  })
}
