import type { Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'

/** Claims that try to get in, and what is wrong with them. */
export type Attack = { readonly title: string; readonly claims: JsonObject }

/** Members that are undefined are taken out. */
export type Changes = Readonly<Record<string, JsonValue | undefined>>
export type Changed = { readonly title: string; readonly changes: Changes }

/** No project and no group has this number, whatever the rule pins. */
export const STRANGER_ID = '999999999999'

export function attacksOf(admitted: JsonObject, changed: readonly Changed[]): readonly Attack[] {
  return changed.map(({ title, changes }) => {
    const entries = Object.entries({ ...admitted, ...changes })
    const there = entries.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined)
    return { title, claims: Object.fromEntries(there) }
  })
}

export function claimAttacks({ claims }: Rule): readonly Changed[] {
  return Object.entries(claims).map(([name, [value = '']]) => ({
    title: `another value of the claim ${name}`,
    changes: { [name]: `${value}-evil` },
  }))
}

/** Each claim missing, and of each type that it must not be. */
export function typeAttacks(admitted: JsonObject): readonly Changed[] {
  return Object.entries(admitted).flatMap(([name, value]) => {
    const number = Number(value)
    return [
      { title: `no ${name}`, changes: { [name]: undefined } },
      { title: `a list as ${name}`, changes: { [name]: [value] } },
      { title: `null as ${name}`, changes: { [name]: null } },
      ...(value === String(number) ? [{ title: `a number as ${name}`, changes: { [name]: number } }] : []),
    ]
  })
}

export function otherCase(text: string): string {
  return text.replace(/\p{L}/gu, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
}
