import { z } from 'zod'

/** The shapes of an identity as the API has them, of it and of its `workloadIdentityConfig`, and what of it is ours. */
export type IdentityShapes = {
  readonly identity: z.ZodRawShape
  readonly config: z.ZodRawShape
  readonly outputOnly: readonly string[]
}

const CONFIG = 'workloadIdentityConfig'
const TESTS = 'tests'

/** What a file says otherwise: what is ours is not its author's, and the email may be told by id and project. */
const notInFiles = ({ outputOnly }: IdentityShapes) => ['name', 'email', ...outputOnly, CONFIG]
/** It stands in a file of its own beside, where editors know its language. */
export const CONDITIONS = 'conditions'

/**
 * The shape of an identity's file: the fields of the API's resource and those of its config, all at the top. They are
 * the API's own schemas, so that a file and a request cannot differ.
 */
export function createPolicyFileSchema(shapes: IdentityShapes): z.ZodObject {
  const { identity, config } = shapes
  return z
    .strictObject({
      id: z.string().optional().describe('The part of its email before @; or give the email.'),
      project: z
        .string()
        .optional()
        .describe("The id of the claimgate project it belongs to; the workspace's where absent."),
      email: z.string().optional().describe('Its whole email; or give id, and project where it has one.'),
      ...without(identity, [...notInFiles(shapes), TESTS]),
      state: z
        .enum(['ACTIVE', 'DISABLED'])
        .optional()
        .describe('Where absent it stays as it is; a new one is active.'),
      ...without(config, [CONDITIONS]),
      // Behind the rules, where one looks for them.
      [TESTS]: identity[TESTS],
    })
    .meta({ title: 'A workload identity of claimgate, as a file' })
}

/** A file's fields as the body of the API's resource. */
export function toIdentityBody(
  fields: Readonly<Record<string, unknown>>,
  shapes: IdentityShapes,
): Readonly<Record<string, unknown>> {
  const { identity, config } = shapes
  const pick = (shape: z.ZodRawShape) =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(shape, name)))
  return { ...pick(without(identity, notInFiles(shapes))), [CONFIG]: pick(config) }
}

/** Where a field of the resource stands in the file. */
export function toFilePath(path: readonly PropertyKey[]): readonly PropertyKey[] {
  return path[0] === CONFIG ? path.slice(1) : path
}

function without(shape: z.ZodRawShape, names: readonly string[]): z.ZodRawShape {
  return Object.fromEntries(Object.entries(shape).filter(([name]) => !names.includes(name)))
}
