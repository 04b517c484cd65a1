import type { Caller } from '../access/caller.ts'
import { activateDraftRoute } from '../http/activate-draft.ts'
import { deleteDraftRoute } from '../http/delete-draft.ts'
import { getDraftRoute } from '../http/get-draft.ts'
import { existingIdentity } from '../http/get-workload-identity.ts'
import { measureDraftImpactRoute } from '../http/measure-draft-impact.ts'
import type { Route } from '../http/route.ts'
import { updateDraftRoute } from '../http/update-draft.ts'
import {
  activateDraft,
  type DraftDeps,
  deleteDraft,
  draftWorkloadIdentity,
  existingDraft,
} from '../identity/draft-workload-identity.ts'
import { readIdentityPatch } from '../identity/identity-patch.ts'
import { IDENTITY_FIELDS, workloadIdentityPatchSchema } from '../identity/workload-identity-schema.ts'
import { createDraftStore, createRemoveDraft, findDraft, writeDraft } from '../policy/draft-store.ts'
import type { MeasureDraft } from './draft-impact.ts'
import { identityDraftImpact } from './identity-draft-impact.ts'
import type { IdentityChanges } from './identity-routes.ts'
import type { Parts } from './parts.ts'

/** The drafts of identities: what they would do, and making them so. */
export function draftRoutes(
  parts: Parts,
  { changesOf, inTurn }: IdentityChanges,
  measureDraft: MeasureDraft,
): readonly Route[] {
  const drafts = createDraftStore(parts.db)
  const stores = {
    drafts,
    findDraft,
    writeDraft,
    removeDraft: createRemoveDraft(parts.recordIdentityDraft),
    recordDraft: parts.recordIdentityDraft,
  }
  const depsOf = async (caller: Caller): Promise<DraftDeps> => ({ ...(await changesOf(caller)), ...stores })
  return [
    getDraftRoute({
      findDraft: async (email) => existingDraft(stores, await existingIdentity(parts.identities, email)),
    }),
    updateDraftRoute({
      workloadIdentityPatch: workloadIdentityPatchSchema,
      identityFields: IDENTITY_FIELDS,
      draftWorkloadIdentity: async (caller, email, { body, mask, ifMatch }, authorship) => {
        const patch = readIdentityPatch(body, mask)
        return inTurn(email, async () =>
          draftWorkloadIdentity(await depsOf(caller), email, patch, ifMatch, authorship),
        )
      },
    }),
    deleteDraftRoute({
      deleteDraft: (email, ...asked) =>
        inTurn(email, () =>
          deleteDraft({ ...parts, ...stores, findIdentity: parts.identities.findToChange }, email, ...asked),
        ),
    }),
    measureDraftImpactRoute({ measureDraftImpact: identityDraftImpact(parts, drafts, measureDraft) }),
    activateDraftRoute({
      activateDraft: (caller, email, impact, ifMatch, authorship) =>
        inTurn(email, async () => activateDraft(await depsOf(caller), email, impact, ifMatch, authorship)),
    }),
  ]
}
