import { z } from 'zod'

export const findingAnswer = z
  .strictObject({
    code: z.string().meta({ description: 'As in docs/findings.md.' }),
    grade: z.enum(['CRITICAL', 'WARNING', 'NOTE']),
    rule: z.string().optional().meta({ description: 'The id of the rule that it is about.' }),
    message: z.string().meta({ description: 'Whom it lets in.' }),
    change: z.string().meta({ description: 'The narrowest change that would end it.' }),
  })
  .meta({ id: 'Finding' })

export const acknowledgementAnswer = z
  .strictObject({
    reason: z.string(),
    acknowledgeTime: z.iso.datetime(),
    findings: z.array(findingAnswer.pick({ code: true, rule: true, message: true })),
  })
  .meta({ id: 'Acknowledgement' })

/** The parameter of every save with which its author says why the findings may be. */
export const acknowledge = z
  .string()
  .max(500)
  .refine((text) => text.trim() !== '', 'must not be blank')
  .meta({ description: 'Why the findings may be, which is recorded: saves what BLOCK_FINDINGS refuses.' })
