import type { DecisionStore } from '../decision/decision-store.ts'
import { invalidArgument } from '../errors.ts'
import { decisionJson } from './decision-json.ts'
import type { Route } from './route.ts'

const DEFAULT_PAGE_SIZE = 10
const MAX_PAGE_SIZE = 1000
const OUTCOMES = ['ALLOWED', 'DENIED', 'FAILED'] as const

/** `GET /v1/decisions`: newest first; a page stays right while decisions arrive, as it begins after an id. */
export function listDecisionsRoute(deps: { decisions: Pick<DecisionStore, 'list'> }): Route {
  return {
    method: 'GET',
    path: '/v1/decisions',
    access: 'administrator',
    query: ['identity', 'outcome', 'pageSize', 'pageToken'],
    async handle({ query }) {
      const limit = readPageSize(query.pageSize)
      const found = await deps.decisions.list({
        identity: query.identity || undefined,
        outcome: readOutcome(query.outcome),
        before: readPageToken(query.pageToken),
        limit: limit + 1,
      })
      const page = found.slice(0, limit)
      const nextPageToken = found.length > limit ? pageTokenAfter(page.at(-1)?.id ?? '') : ''
      return { body: { decisions: page.map(decisionJson), nextPageToken } }
    },
  }
}

/** A larger size than the maximum is not an error (AIP-158): the maximum is given. */
function readPageSize(text: string | undefined): number {
  if (text === undefined || text === '' || text === '0') return DEFAULT_PAGE_SIZE
  if (!/^\d{1,9}$/.test(text)) throw invalidArgument('pageSize must be a whole number that is not negative.')
  return Math.min(Number(text), MAX_PAGE_SIZE)
}

function readOutcome(text: string | undefined): (typeof OUTCOMES)[number] | undefined {
  if (text === undefined || text === '') return undefined
  const outcome = OUTCOMES.find((known) => known === text)
  if (outcome === undefined) throw invalidArgument(`outcome must be one of ${OUTCOMES.join(', ')}.`)
  return outcome
}

function readPageToken(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 16 || bytes.toString('base64url') !== text)
    throw invalidArgument('pageToken is not one of ours.')
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function pageTokenAfter(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}
