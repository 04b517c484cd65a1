import { createOneAtATime } from '../db/one-at-a-time.ts'
import {
  activateGuardrailsDraft,
  type DraftGuardrailsDeps,
  deleteGuardrailsDraft,
  draftGuardrails,
  existingGuardrailsDraft,
} from '../guardrails/draft-guardrails.ts'
import { GUARDRAILS } from '../guardrails/guardrails.ts'
import { guardrailsBody } from '../guardrails/guardrails-schema.ts'
import { rollBackGuardrails } from '../guardrails/roll-back-guardrails.ts'
import { type GuardrailsSave, guardrailsIn, saveGuardrails } from '../guardrails/save-guardrails.ts'
import { activateGuardrailsDraftRoute } from '../http/activate-guardrails-draft.ts'
import { deleteGuardrailsDraftRoute } from '../http/delete-guardrails-draft.ts'
import { diffGuardrailsVersionRoute } from '../http/diff-guardrails-version.ts'
import { getGuardrailsRoute } from '../http/get-guardrails.ts'
import { getGuardrailsDraftRoute } from '../http/get-guardrails-draft.ts'
import { getGuardrailsVersionRoute } from '../http/get-guardrails-version.ts'
import type { SavedGuardrails } from '../http/guardrails-json.ts'
import { listGuardrailsVersionsRoute } from '../http/list-guardrails-versions.ts'
import { measureGuardrailsDraftImpactRoute } from '../http/measure-guardrails-draft-impact.ts'
import { rollBackGuardrailsRoute } from '../http/roll-back-guardrails.ts'
import type { Route } from '../http/route.ts'
import { updateGuardrailsRoute } from '../http/update-guardrails.ts'
import { updateGuardrailsDraftRoute } from '../http/update-guardrails-draft.ts'
import { diffModules } from '../policy/diff-modules.ts'
import { createDraftStore, createRemoveDraft, findDraft, writeDraft } from '../policy/draft-store.ts'
import { insertPolicy } from '../policy/policy-store.ts'
import { createPolicyVersionStore } from '../policy/policy-version-store.ts'
import type { MeasureDraft } from './draft-impact.ts'
import { guardrailsDraftImpact } from './guardrails-draft-impact.ts'
import type { Parts } from './parts.ts'
import type { SearchFailingTests } from './search-failing-tests.ts'

/** The guardrails, their versions and their draft; changes wait for each other. */
export function guardrailsRoutes(
  parts: Parts,
  measureDraft: MeasureDraft,
  searchFailingTests: SearchFailingTests,
): readonly Route[] {
  const drafts = createDraftStore(parts.db)
  const policyVersions = createPolicyVersionStore(parts.db)
  const deps: DraftGuardrailsDeps = {
    ...parts,
    insertPolicy,
    drafts,
    findDraft,
    writeDraft,
    removeDraft: createRemoveDraft(parts.recordGuardrailsDraft),
    recordDraft: parts.recordGuardrailsDraft,
  }
  const versions = { ...parts, subject: GUARDRAILS, policyVersions, diffModules }
  const oneAtATime = createOneAtATime()
  const inTurn = <Result>(work: () => Promise<Result>) => oneAtATime(GUARDRAILS, work)
  /** Saves, and then tells what that does to identities' tests: others need not wait for it. */
  const saveInTurn = async (save: () => Promise<GuardrailsSave>): Promise<SavedGuardrails> => {
    const [before, saved] = await inTurn(
      async () => [(await parts.guardrails.current()).digest, await save()] as const,
    )
    const digests = { before, after: saved.guardrails.digest }
    return { ...saved, failingTests: await searchFailingTests(digests) }
  }
  return [
    getGuardrailsRoute(parts),
    updateGuardrailsRoute({
      guardrailsBody,
      saveGuardrails: (body, ifMatch, authorship) =>
        saveInTurn(() =>
          saveGuardrails(deps, { spec: guardrailsIn(body), etag: body.etag, ifMatch }, authorship),
        ),
    }),
    listGuardrailsVersionsRoute(versions),
    getGuardrailsVersionRoute(versions),
    diffGuardrailsVersionRoute(versions),
    rollBackGuardrailsRoute({
      rollBackGuardrails: (version, ifMatch, authorship) =>
        saveInTurn(() =>
          rollBackGuardrails(
            { ...deps, findPolicyVersion: policyVersions.get },
            version,
            ifMatch,
            authorship,
          ),
        ),
    }),
    getGuardrailsDraftRoute({ findDraft: () => existingGuardrailsDraft(deps) }),
    updateGuardrailsDraftRoute({
      guardrailsBody,
      draftGuardrails: (body, ifMatch, authorship) =>
        inTurn(() =>
          draftGuardrails(deps, { spec: guardrailsIn(body), etag: body.etag, ifMatch }, authorship),
        ),
    }),
    deleteGuardrailsDraftRoute({
      deleteDraft: (...asked) => inTurn(() => deleteGuardrailsDraft(deps, ...asked)),
    }),
    measureGuardrailsDraftImpactRoute({
      measureDraftImpact: guardrailsDraftImpact(parts, drafts, measureDraft, searchFailingTests),
    }),
    activateGuardrailsDraftRoute({
      activateDraft: (impact, ifMatch, authorship) =>
        saveInTurn(() => activateGuardrailsDraft(deps, impact, ifMatch, authorship)),
    }),
  ]
}
