import {
  createProject,
  deleteProject,
  PROJECT_FIELDS,
  projectBody,
  projectPatch,
  undeleteProject,
  updateProject,
} from '../access/change-project.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { createProjectRoute } from '../http/create-project.ts'
import { deleteProjectRoute } from '../http/delete-project.ts'
import { getProjectRoute } from '../http/get-project.ts'
import { listProjectsRoute } from '../http/list-projects.ts'
import type { Route } from '../http/route.ts'
import { undeleteProjectRoute } from '../http/undelete-project.ts'
import { updateProjectRoute } from '../http/update-project.ts'
import { iamPolicyRoutes } from './iam-policy-routes.ts'
import type { Parts } from './parts.ts'

export function projectRoutes(parts: Parts): readonly Route[] {
  const { db, clock, pageTokens, projects } = parts
  const changes = { db, clock }
  const inTurn = createOneAtATime()
  return [
    createProjectRoute({ projectBody, createProject: (id, body) => createProject(changes, id, body) }),
    listProjectsRoute({ projects, pageTokens }),
    getProjectRoute({ projects }),
    updateProjectRoute({
      projectPatch,
      projectFields: PROJECT_FIELDS,
      updateProject: (id, update) => inTurn(id, () => updateProject(changes, id, update)),
    }),
    deleteProjectRoute({
      deleteProject: (id, ifMatch) => inTurn(id, () => deleteProject(changes, id, ifMatch)),
    }),
    undeleteProjectRoute({
      undeleteProject: (id, ifMatch) => inTurn(id, () => undeleteProject(changes, id, ifMatch)),
    }),
    ...iamPolicyRoutes(parts, inTurn),
  ]
}
