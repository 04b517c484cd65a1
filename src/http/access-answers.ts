import { z } from 'zod'

const grantAnswer = z
  .strictObject({
    role: z.string(),
    from: z.enum(['rule', 'member']),
    rule: z.string().meta({ description: 'The rule that a token must have met; empty: none.' }),
    on: z.string().meta({ description: '`workspaces/default`, or `projects/ID`.' }),
  })
  .meta({ id: 'AccessGrant' })

export const missingAnswer = z
  .strictObject({ on: z.string(), roles: z.array(z.string()), grants: z.array(grantAnswer) })
  .meta({ id: 'MissingAccess', description: 'What would give the permission; nothing where it is held.' })

export const grantsAnswer = z.array(grantAnswer).meta({ description: 'What gives the permission.' })
