import { z } from 'zod'
import { invalidArgument } from '../errors.ts'

/** What a job sends to say who it is and as whom it comes. */
export const jobTokenFields = {
  token: z.string().optional().meta({ description: "Required: the job's ID token." }),
  email: z.string().optional().meta({ description: "Required: the workload identity's email." }),
}

/** Throws `invalid_argument` in the words that jobs' authors look for where one is missing. */
export function readJobToken(
  { token, email }: { readonly token?: string | undefined; readonly email?: string | undefined },
  isEmail: (text: string) => boolean,
  names = { token: 'token', email: 'email' },
): { readonly token: string; readonly email: string } {
  if (!token) throw invalidArgument(`${names.token} is required`)
  if (!email) throw invalidArgument(`${names.email} is required`)
  if (!isEmail(email))
    throw invalidArgument(`${names.email} is malformed: it must be the workload identity's email address`)
  return { token, email }
}
