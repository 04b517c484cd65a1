import { type Html, html, withCode } from './html.ts'
import type { JsonSchema } from './openapi-schemas.ts'

/** What a reader of a schema wants to know of each field: which a request needs, or which an answer may lack. */
export type SchemaMarks = 'required' | 'optional'

/** A schema's type on a line, and beneath it its fields, theirs, and so on; shared ones are links. */
export function renderSchema(schema: JsonSchema, marks: SchemaMarks): Html {
  const isPlainObject = schema.type === 'object' && schema.properties !== undefined
  return html`${isPlainObject ? undefined : html`<p class="type">${typeOf(schema)}</p>`}${fieldsOf(schema, marks)}`
}

/** The fields of a schema, or of what it is a list or map of. */
export function fieldsOf(schema: JsonSchema, marks: SchemaMarks): Html | undefined {
  const inner = innerOf(schema)
  if (inner !== undefined) return fieldsOf(inner, marks)
  if (Array.isArray(schema.anyOf)) return html`${schema.anyOf.map((each) => fieldsOf(each, marks))}`
  const fields = Object.entries(schemasAt(schema, 'properties')).filter(
    ([, field]) => field.readOnly !== true,
  )
  if (fields.length === 0) return undefined
  const required = (schema.required ?? []) as readonly string[]
  return html`<ul class="fields">${fields.map(([name, field]) => {
    const isRequired = required.includes(name)
    const mark = isRequired === (marks === 'required') ? marks : undefined
    return html`<li><code class="name">${name}</code> <span class="type">${typeOf(field)}</span>${
      mark && html` <span class="mark">${mark}</span>`
    }${descriptionOf(field)}${fieldsOf(field, marks)}</li>`
  })}</ul>`
}

export function descriptionOf(schema: JsonSchema): Html | undefined {
  const texts = [schema.description, defaultOf(schema)].filter((text) => typeof text === 'string')
  return texts.length === 0 ? undefined : html`<span class="description">${withCode(texts.join(' '))}</span>`
}

function defaultOf(schema: JsonSchema): string | undefined {
  return schema.default === undefined ? undefined : `Default: \`${JSON.stringify(schema.default)}\`.`
}

/** A type as one says it: "list of Rule", "string or null", the values where there are few. */
export function typeOf(schema: JsonSchema): Html {
  const { $ref, anyOf, enum: values, const: value, type, format } = schema
  if (typeof $ref === 'string') {
    const name = $ref.split('/').at(-1) ?? ''
    return html`<a href="#schema-${name}">${name}</a>`
  }
  if (Array.isArray(values))
    return alternatives(values.map((each) => html`<code>${JSON.stringify(each)}</code>`))
  if (value !== undefined) return html`<code>${JSON.stringify(value)}</code>`
  if (Array.isArray(type)) return alternatives(type.map((each) => typeOf({ ...schema, type: each })))
  if (Array.isArray(anyOf)) return alternatives(anyOf.map((each) => typeOf(each)))
  if (type === 'array') return listOf(innerOf(schema), bounds(schema, 'Items', 'long'))
  if (type === 'object') {
    const values = innerOf(schema)
    return values === undefined ? html`object` : html`map of names to ${typeOf(values)}`
  }
  if (type === 'string') {
    return html`${typeof format === 'string' ? format : 'string'}${bounds(schema, 'Length', 'characters long')}${
      typeof schema.pattern === 'string' ? html`, matches <code>${schema.pattern}</code>` : undefined
    }`
  }
  if (type === 'integer' || type === 'number') return html`${String(type)}${bounds(schema, 'imum', '')}`
  return html`${typeof type === 'string' ? type : 'anything'}`
}

/** How long its entries are comes after how many they are. */
function listOf(items: JsonSchema | undefined, howMany: string): Html {
  if (items === undefined) return html`list${howMany}`
  if (items.type !== 'string') return html`list of ${typeOf(items)}${howMany}`
  const { minLength, maxLength, ...entry } = items
  const each = bounds({ minLength, maxLength }, 'Length', 'characters long').replace(', ', ', each ')
  return html`list of ${typeOf(entry)}${howMany}${each}`
}

/** "1 to 20 long", "at most 200 characters long", "60 to 3600". */
function bounds(schema: JsonSchema, suffix: 'Items' | 'Length' | 'imum', unit: string): string {
  const [least, most] = [schema[`min${suffix}`], schema[`max${suffix}`]].map((bound) =>
    typeof bound === 'number' ? bound : undefined,
  )
  if (least === undefined && most === undefined) return ''
  if (least === 1 && most === undefined && unit !== '') return ', not empty'
  return `, ${range(least, most)} ${unit}`.trimEnd()
}

function range(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return `at most ${most}`
  if (most === undefined) return `at least ${least}`
  return least === most ? String(most) : `${least} to ${most}`
}

function alternatives(types: readonly Html[]): Html {
  return html`${types.map((each, index) => (index === 0 ? each : html` or ${each}`))}`
}

/** What a list or a map holds. */
function innerOf(schema: JsonSchema): JsonSchema | undefined {
  const [first] = (schema.prefixItems ?? []) as readonly JsonSchema[]
  const inner = first ?? schema.items ?? schema.additionalProperties
  return typeof inner === 'object' && inner !== null ? (inner as JsonSchema) : undefined
}

function schemasAt(schema: JsonSchema, keyword: string): Readonly<Record<string, JsonSchema>> {
  return (schema[keyword] ?? {}) as Readonly<Record<string, JsonSchema>>
}
