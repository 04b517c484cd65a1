import type { AdminTokenStore } from '../access/admin-token-store.ts'

/** Throws, with a sentence for the operator, where nobody could administer the service that is about to start. */
export async function requireAdministrator(
  adminToken: string | undefined,
  adminTokens: Pick<AdminTokenStore, 'hasLastingAdministrator'>,
): Promise<void> {
  if (adminToken !== undefined || (await adminTokens.hasLastingAdministrator())) return
  throw new Error(
    'ADMIN_TOKEN is required: there is no admin token with roles/workspaceAdmin yet that does not expire.',
  )
}
