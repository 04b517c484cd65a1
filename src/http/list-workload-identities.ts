import { z } from 'zod'
import type { ProjectStore } from '../access/project-store.ts'
import type { IdentityStore } from '../identity/identity-store.ts'
import { filterParameter } from './filter.ts'
import { existingProject } from './get-project.ts'
import { nextPageToken, pageParameters, readPage, showDeleted } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

type Deps = {
  identities: Pick<IdentityStore, 'list'>
  projects: Pick<ProjectStore, 'get'>
  pageTokens: PageTokens
}

/** `GET …/workloadIdentities` of the workspace, whose list does not hold the projects', and of a project: by email. */
export function listWorkloadIdentitiesRoutes(deps: Deps): readonly Route[] {
  return [
    listRoute(
      deps,
      '/v1/workspaces/default/workloadIdentities',
      "List the workspace's identities, by email; those of projects are not among them.",
    ),
    listRoute(deps, '/v1/projects/{project}/workloadIdentities', "List a project's identities, by email."),
  ]
}

function listRoute(deps: Deps, path: string, summary: string): Route {
  return defineRoute({
    method: 'GET',
    path,
    group: 'Workload identities',
    summary,
    access: 'claimgate.workloadIdentities.list',
    query: {
      ...pageParameters,
      showDeleted,
      filter: filterParameter({
        email: 'text',
        name: 'text',
        title: 'text',
        state: ['ACTIVE', 'DISABLED', 'DELETED'],
      }),
    },
    answer: z.strictObject({ workloadIdentities: z.array(workloadIdentityAnswer), nextPageToken }),
    async handle({ params: { project }, query }) {
      const projectId = project === undefined ? null : (await existingProject(deps.projects, project)).id
      const asked = { projectId, showDeleted: query.showDeleted ?? false, filter: query.filter ?? [] }
      const page = await readPage(
        deps.pageTokens,
        { list: 'workloadIdentities', ...asked },
        query,
        (after, limit) => deps.identities.list({ ...asked, after, limit }),
        ({ email }) => email,
      )
      const workloadIdentities = page.items.map((identity) => workloadIdentityJson(identity))
      return { body: { workloadIdentities, nextPageToken: page.nextPageToken } }
    },
  })
}
