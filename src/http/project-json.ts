import { z } from 'zod'
import type { Project } from '../access/project.ts'

export const projectAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`projects/` and its id.' }),
    title: z.string(),
    state: z.enum(['ACTIVE', 'DELETED']),
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    createTime: z.iso.datetime(),
    updateTime: z.iso.datetime(),
  })
  .meta({ id: 'Project' })

/** A project as it is answered. */
export function projectJson(project: Project) {
  return {
    name: `projects/${project.id}`,
    title: project.title,
    state: project.state,
    etag: project.revision,
    createTime: project.createTime.toISOString(),
    updateTime: project.updateTime.toISOString(),
  }
}
