import { isJsonObject, type JsonObject } from '../json.ts'

/** The JSON Schema of a policy's input: a closed object whose `claims` are those that a provider is known to send. */
export type InputSchema = JsonObject

/** The claims that every token of the provider has: `required` of the schema, which the compiler itself passes over. */
export function claimsAlwaysThere(schema: InputSchema): ReadonlySet<string> {
  const { required } = claimsOf(schema)
  return new Set(Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [])
}

/**
 * The schema of what any of the providers sends: every claim that one of them has, of whichever type; always there is
 * what all of them always send.
 */
export function uniteSchemas(schemas: readonly InputSchema[]): InputSchema {
  const [first = {}, ...others] = schemas
  if (others.length === 0) return first
  const all = schemas.map((schema) => ({ claims: claimsOf(schema), always: claimsAlwaysThere(schema) }))
  const names = new Set(all.flatMap(({ claims }) => Object.keys(propertiesOf(claims))))
  const claims = {
    ...claimsOf(first),
    required: [...names].filter((name) => all.every(({ always }) => always.has(name))),
    properties: Object.fromEntries(
      [...names].map((name) => [name, eitherOf(all.map((each) => propertiesOf(each.claims)[name]))]),
    ),
  }
  return { ...first, properties: { ...propertiesOf(first), claims } }
}

function eitherOf(types: readonly unknown[]): JsonObject {
  const different = new Map(types.filter(isJsonObject).map((type) => [JSON.stringify(type), type]))
  const [first = {}, ...others] = [...different.values()]
  return others.length === 0 ? first : { anyOf: [first, ...others] }
}

function claimsOf(schema: InputSchema): JsonObject {
  const { claims } = propertiesOf(schema)
  return isJsonObject(claims) ? claims : {}
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isJsonObject(schema.properties) ? schema.properties : {}
}
