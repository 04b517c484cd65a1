import { z } from 'zod'
import { type FieldMask, type MaskFields, readFieldMask } from '../fields/field-mask.ts'

/** The parameter of every update (AIP-134): the fields that it is about, separated by commas. */
export function updateMaskParameter(fields: MaskFields) {
  return z
    .string()
    .transform((text, context): FieldMask => {
      const read = readFieldMask(text, fields)
      if (read.ok) return read.mask
      context.addIssue({ code: 'custom', message: read.message })
      return z.NEVER
    })
    .meta({
      description: `The fields to change, separated by commas, or *: ${fields.updatable.join(', ')}. Left out: those of the body.`,
    })
}
