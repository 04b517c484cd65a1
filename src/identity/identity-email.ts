import { isResourceId } from '../fields/resource-id.ts'

const MAX_EMAIL = 255
// "valid email address" of the HTML standard: ASCII, no quoted local part, no comments.
const EMAIL =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/

/** Says what is wrong with an identity's id (the part of its email before `@`), or undefined. */
export function checkIdentityId(id: string): string | undefined {
  if (isResourceId(id)) return undefined
  if (id === '') return 'is required'
  if (id.length > 63) return 'must have at most 63 characters'
  if (id.includes('@')) return "must be the part before '@' alone"
  if (isResourceId(id.toLowerCase())) return 'must be in lower case'
  return "must be lower-case letters, digits and '-', begin with a letter and not end with '-'"
}

/** The email of an identity of the workspace, or of a project. */
export function emailOf(id: string, domain: string, projectId?: string): string {
  return projectId === undefined ? `${id}@${domain}` : `${id}@${projectId}.${domain}`
}

/** The id and project that make an email, or undefined where it is none of this domain's. */
export function placeOf(
  email: string,
  domain: string,
): { readonly id: string; readonly projectId: string | undefined } | undefined {
  const [id = '', host = ''] = email.split('@')
  if (host === domain) return { id, projectId: undefined }
  const projectId = host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : ''
  return isResourceId(projectId) ? { id, projectId } : undefined
}

/** Whether a text has the syntax of an email address (HTML standard, at most 255 characters): its parts, or undefined. */
export function parseEmail(text: string): { readonly local: string; readonly domain: string } | undefined {
  if (text.length > MAX_EMAIL || !EMAIL.test(text)) return undefined
  const at = text.indexOf('@')
  return { local: text.slice(0, at), domain: text.slice(at + 1) }
}
