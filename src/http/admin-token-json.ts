import { z } from 'zod'
import type { AdminToken } from '../access/admin-token.ts'

export const adminTokenAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`adminTokens/` and its id.' }),
    title: z.string(),
    roles: z.array(z.string()),
    etag: z.string().meta({ description: 'Changes with every change; for If-Match.' }),
    createTime: z.iso.datetime(),
    updateTime: z.iso.datetime(),
    expireTime: z.iso.datetime().optional().meta({ description: 'Absent: it does not expire.' }),
    lastUseTime: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'To within a minute; null: it was never used.' }),
    token: z
      .string()
      .optional()
      .meta({ description: 'What its holder sends: `cgadm_ID_SECRET`. In the answer to its create alone.' }),
  })
  .meta({ id: 'AdminToken', description: "An administrator's token." })

/** A token as it is answered; nobody knows its secret any more. */
export function adminTokenJson(adminToken: AdminToken) {
  return {
    name: `adminTokens/${adminToken.id}`,
    title: adminToken.title,
    roles: adminToken.roles,
    etag: adminToken.revision,
    createTime: adminToken.createTime.toISOString(),
    updateTime: adminToken.updateTime.toISOString(),
    ...(adminToken.expireTime !== null && { expireTime: adminToken.expireTime.toISOString() }),
    lastUseTime: adminToken.lastUseTime?.toISOString() ?? null,
  }
}
