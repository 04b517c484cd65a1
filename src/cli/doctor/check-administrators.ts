import { type AdminToken, isLastingAdministrator } from '../../access/admin-token.ts'
import { type AdminTokenStore, createAdminTokenStore } from '../../access/admin-token-store.ts'
import type { Config } from '../../config/env.ts'
import type { Database } from '../../db/database.ts'
import type { Check, Seen } from './finding.ts'

const DAY_MS = 86_400_000
/** Time enough to hand out another one. */
const SOON_DAYS = 14
const UNUSED_DAYS = 90
const TOKENS_PER_PAGE = 100

/** Whether somebody can administer, and which admin tokens had better not be there. */
export function administratorsCheck(db: Database, config: Config): Check {
  return {
    name: 'administrators',
    async look() {
      const tokens = await listAll(createAdminTokenStore(db))
      // Without a database server ADMIN_TOKEN is made where it is not set.
      const hasFirst = config.adminToken !== undefined || config.databaseUrl === undefined
      return judge(tokens, hasFirst, Date.now())
    },
  }
}

function judge(tokens: readonly AdminToken[], hasFirst: boolean, nowMs: number): Seen {
  const lasting = tokens.filter(isLastingAdministrator)
  if (!hasFirst && lasting.length === 0) {
    return [
      'problem',
      'There is none, so the service does not start: set ADMIN_TOKEN, and make an admin token with roles/workspaceAdmin that does not expire.',
    ]
  }
  const daysAgo = (time: Date) => (nowMs - time.getTime()) / DAY_MS
  const isExpired = ({ expireTime }: AdminToken) => expireTime !== null && daysAgo(expireTime) >= 0
  const unused = tokens.filter((token) => daysAgo(token.lastUseTime ?? token.createTime) > UNUSED_DAYS)
  const ailing = [
    ...told(tokens.filter(isExpired), 'expired: delete it, or give it another expireTime'),
    ...told(
      tokens.filter(
        (token) => !isExpired(token) && token.expireTime !== null && daysAgo(token.expireTime) > -SOON_DAYS,
      ),
      `expires within ${SOON_DAYS} days: make another one for whoever has it`,
    ),
    ...told(
      unused.filter((token) => !isExpired(token)),
      `was not used for ${UNUSED_DAYS} days: delete it where nobody needs it`,
    ),
  ]
  if (ailing.length > 0) return ['warning', ailing.join(' ')]
  const first = hasFirst ? 'ADMIN_TOKEN' : 'No ADMIN_TOKEN'
  return [
    'ok',
    `${first}. Admin tokens: ${tokens.length}; lasting administrators among them: ${lasting.length}.`,
  ]
}

function told(tokens: readonly AdminToken[], what: string): readonly string[] {
  return tokens.map(({ id }) => `adminTokens/${id} ${what}.`)
}

async function listAll(store: Pick<AdminTokenStore, 'list'>): Promise<readonly AdminToken[]> {
  const all: AdminToken[] = []
  for (let after: string | undefined; ; after = all.at(-1)?.id) {
    const page = await store.list({ after, limit: TOKENS_PER_PAGE })
    all.push(...page)
    if (page.length < TOKENS_PER_PAGE) return all
  }
}
