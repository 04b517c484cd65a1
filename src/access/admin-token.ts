/** An administrator's token, without its secret, which nobody has but whoever it was shown to. */
export type AdminToken = {
  readonly id: string
  readonly title: string
  readonly roles: readonly string[]
  /** Changes with every change; not with use. */
  readonly revision: string
  readonly createTime: Date
  readonly updateTime: Date
  /** Null: it does not. */
  readonly expireTime: Date | null
  /** To within a minute; null: never used. */
  readonly lastUseTime: Date | null
}

/** Of the setting ADMIN_TOKEN, which is kept nowhere. */
export const FIRST_ADMIN_TOKEN = 'first'

const ADMINISTRATOR = 'roles/workspaceAdmin'

/**
 * Whether a token alone is enough for the service to be administered for good. One that expires is not, nor is an
 * identity with the role: its issuer may be gone tomorrow.
 */
export function isLastingAdministrator({
  roles,
  expireTime,
}: Pick<AdminToken, 'roles' | 'expireTime'>): boolean {
  return expireTime === null && roles.includes(ADMINISTRATOR)
}
