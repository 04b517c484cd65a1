import type { Rule } from '../identity/rule.ts'

/** No group can have this path, so this rule admits nobody: its policy runs where an identity gives none to run. */
export const UNREACHABLE_RULE: Rule = {
  id: 'nobody',
  title: 'Nobody',
  disabled: false,
  group: '-/nobody',
  project: 'nothing',
  refs: [{ type: 'BRANCH', pattern: 'main' }],
  protectedRefsOnly: true,
  mergeRequests: 'NONE',
  pipelineSources: ['push'],
  claims: {},
  ids: { projectIds: [], namespaceIds: [] },
  roles: [],
}
