import { z } from 'zod'
import type { Role } from '../access/role.ts'

export const roleAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`roles/` and its id.' }),
    title: z.string(),
    description: z.string(),
    permissions: z.array(z.string()).meta({
      description: "claimgate's own begin with `claimgate.`; any other is one of a service behind it.",
    }),
    type: z
      .enum(['BUILT_IN', 'CUSTOM'])
      .meta({ description: 'Built-in ones can be neither changed nor deleted.' }),
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    createTime: z.iso.datetime().optional().meta({ description: 'Absent of built-in ones.' }),
    updateTime: z.iso.datetime().optional(),
  })
  .meta({ id: 'Role' })

/** A role as it is answered. */
export function roleJson({ id, revision, createTime, updateTime, ...role }: Role) {
  return {
    name: `roles/${id}`,
    title: role.title,
    description: role.description,
    permissions: role.permissions,
    type: role.type,
    etag: revision,
    ...(createTime !== undefined && { createTime: createTime.toISOString() }),
    ...(updateTime !== undefined && { updateTime: updateTime.toISOString() }),
  }
}
