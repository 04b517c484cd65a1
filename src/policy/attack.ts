import type { Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'

/** Claims that try to get in, and what is wrong with them. */
export type Attack = { readonly title: string; readonly claims: JsonObject }

/** Claims that are changed; those that are undefined are taken out. */
export type Changes = Readonly<Record<string, JsonValue | undefined>>
export type Changed = { readonly title: string; readonly changes: Changes }

/** No project has this number, whatever a rule pins. */
export const STRANGER_ID = '999999999999'

export function attackWith(admitted: JsonObject, { title, changes }: Changed): Attack {
  const claims = Object.entries({ ...admitted, ...changes })
  return {
    title,
    claims: Object.fromEntries(
      claims.filter((claim): claim is [string, JsonValue] => claim[1] !== undefined),
    ),
  }
}

/** Whatever the provider: each claim missing and of each type that it must not be, and those of the rule's own choosing. */
export function anyClaimAttacks({ claims }: Rule, admitted: JsonObject): readonly Changed[] {
  return [
    ...Object.entries(claims).map(([name, [value = '']]) => ({
      title: `another value of the claim ${name}`,
      changes: { [name]: `${value}-evil` },
    })),
    ...Object.entries(admitted).flatMap(([name, value]) => {
      const number = Number(value)
      return [
        { title: `no ${name}`, changes: { [name]: undefined } },
        { title: `a list as ${name}`, changes: { [name]: [value] } },
        { title: `null as ${name}`, changes: { [name]: null } },
        ...(value === String(number) ? [{ title: `a number as ${name}`, changes: { [name]: number } }] : []),
      ]
    }),
  ]
}

/** What is not the text `true`. */
export function protectionAttacks(name: string): readonly Changed[] {
  return ['false', 'True', false, true, 1].map((value) => ({
    title: `a ${name} of ${JSON.stringify(value)}`,
    changes: { [name]: value },
  }))
}

export function otherCase(text: string): string {
  return text.replace(/\p{L}/gu, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
}
