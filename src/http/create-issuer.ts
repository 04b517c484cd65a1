import { type ZodType, z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedIssuer } from '../issuer/create-issuer.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

const EXAMPLE = { issuerUrl: 'https://gitlab.example.com', title: 'Our GitLab', providerType: 'GITLAB' }

/** `POST /v1/issuers?issuerId=ID`. */
export function createIssuerRoute<Body>(deps: {
  issuerBody: ZodType<Body>
  createIssuer: (id: string, body: Body, authorship: Authorship) => Promise<SavedIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/issuers',
    group: 'Issuers',
    summary: 'Register an issuer; it need not be reachable yet.',
    access: 'claimgate.issuers.create',
    query: {
      issuerId: z.string().meta({ description: 'Required: the last part of its name.' }),
      reason: reasonParameter,
    },
    body: { schema: deps.issuerBody.meta({ examples: [EXAMPLE] }), limit: SMALL_BODY },
    answer: issuerAnswer,
    async handle({ query, body, ...by }) {
      const id = query.issuerId
      if (!id) throw invalidArgument('The parameter issuerId is required.')
      const { issuer, notices } = await deps.createIssuer(id, body, authorshipOf(by, query))
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer), notices))
    },
  })
}
