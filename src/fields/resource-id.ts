/** Whether a text can be the last part of a resource's name, which is also what DNS allows in a label. */
export function isResourceId(text: string): boolean {
  return /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)
}

/** What such an id has to be, to be said after its name. */
export const RESOURCE_ID_RULE =
  "must be lower-case letters, digits and '-', begin with a letter and not end with '-', at most 63"
