import { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { readUpdatedFields, type Update } from '../fields/field-mask.ts'
import { isResourceId, RESOURCE_ID_RULE } from '../fields/resource-id.ts'
import { title } from '../fields/title.ts'
import type { Project } from './project.ts'
import { insertProject, lockProject, writeProject } from './project-store.ts'

/** The body of a create; what is ours is ignored (AIP-203), the name must be the project's. */
export const projectBody = z.strictObject({
  name: z.string().optional(),
  title: title.optional(),
  state: z.literal('ACTIVE').optional(),
  etag: z.string().optional(),
  createTime: z.unknown().optional(),
  updateTime: z.unknown().optional(),
})

/** The body of a change; the state may be what it is. */
export const projectPatch = projectBody.extend({ state: z.string().optional() })

/** The fields that an update may name, and the others. */
export const PROJECT_FIELDS = {
  updatable: ['title'],
  outputOnly: ['name', 'state', 'etag', 'createTime', 'updateTime'],
}

export type ProjectBody = z.infer<typeof projectBody>
export type ProjectPatch = z.infer<typeof projectPatch>
export type ChangeProjectDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly recordProject: RecordChange<Project>
}

/** Creates a project. Throws `invalid_argument`, or `already_exists` where the id is taken, by a deleted one too. */
export async function createProject(
  { db, clock, recordProject }: ChangeProjectDeps,
  id: string,
  body: ProjectBody,
  authorship: Authorship,
): Promise<Project> {
  if (!isResourceId(id)) throw invalidArgument(`projectId ${RESOURCE_ID_RULE}.`)
  checkName(id, body)
  return db.kysely.transaction().execute(async (trx) => {
    const now = new Date(clock())
    const project = await insertProject(trx, { id, title: body.title ?? id }, now)
    if (project === undefined) {
      throw new RequestError(
        'already_exists',
        `projects/${id} exists already; a deleted one can be undeleted.`,
      )
    }
    await recordProject(trx, { verb: 'CREATE', after: project }, authorship, now)
    return project
  })
}

/** Gives a project another title; undefined: that of a new one. Throws like the changes below, and `invalid_argument`. */
export async function updateProject(
  deps: ChangeProjectDeps,
  id: string,
  { body, mask, ifMatch }: Update<ProjectPatch>,
  authorship: Authorship,
): Promise<Project> {
  if (body.state !== undefined && body.state !== 'ACTIVE') {
    throw invalidArgument('state cannot be changed: use DELETE and :undelete.')
  }
  const updated = readUpdatedFields(mask, body, PROJECT_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  checkName(id, body)
  return withLocked(deps, id, 'UPDATE', authorship, async (trx, project, now) => {
    if (project.state === 'DELETED') throw stateProblem(`projects/${id} is deleted: undelete it first.`)
    checkRevision(project.revision, ifMatch, body.etag)
    return writeProject(trx, id, { title: body.title ?? id }, now)
  })
}

/**
 * Deletes a project softly: at once its identities exchange nothing and their tokens are dead. Throws `not_found`
 * where there is no living one, `aborted` where its etag is another.
 */
export async function deleteProject(
  deps: ChangeProjectDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, id, 'DELETE', authorship, async (trx, project, now) => {
    if (project.state === 'DELETED') {
      throw new RequestError('not_found', 'There is no such project, or it is deleted already.')
    }
    checkRevision(project.revision, ifMatch)
    return writeProject(trx, id, { state: 'DELETED' }, now)
  })
}

/** Brings a deleted project back, and with it its identities. Throws `not_found`, `failed_precondition`, `aborted`. */
export function undeleteProject(
  deps: ChangeProjectDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<Project> {
  return withLocked(deps, id, 'UNDELETE', authorship, async (trx, project, now) => {
    if (project.state !== 'DELETED') throw stateProblem(`projects/${id} is not deleted.`)
    checkRevision(project.revision, ifMatch)
    return writeProject(trx, id, { state: 'ACTIVE' }, now)
  })
}

function checkName(id: string, { name }: ProjectPatch): void {
  if (name !== undefined && name !== `projects/${id}`) {
    throw invalidArgument(`name must be projects/${id}, or left out: it follows from the id.`)
  }
}

function withLocked(
  { db, clock, recordProject }: ChangeProjectDeps,
  id: string,
  verb: string,
  authorship: Authorship,
  change: (trx: Database['kysely'], project: Project, now: Date) => Promise<Project>,
): Promise<Project> {
  return db.kysely.transaction().execute(async (trx) => {
    const project = await lockProject(trx, id)
    if (project === undefined) throw new RequestError('not_found', 'There is no such project.')
    const now = new Date(clock())
    const changed = await change(trx, project, now)
    await recordProject(trx, { verb, before: project, after: changed }, authorship, now)
    return changed
  })
}

function stateProblem(message: string): RequestError {
  return new RequestError('failed_precondition', message)
}
