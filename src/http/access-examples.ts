/** A question about access and its answer, as a service behind us sees them; a test makes this very answer. */
const subject = { type: 'token', id: 'eyJhbGciOi…' }
const action = { name: 'bb.plans.create' }

export const ACCESS_QUESTION = { subject, action, resource: { type: 'project', id: 'payments' } }

export const MANY_ACCESS_QUESTIONS = {
  subject,
  action,
  evaluations: [
    { resource: { type: 'project', id: 'payments' } },
    { resource: { type: 'project', id: 'shop' } },
  ],
}

export const ACCESS_ANSWER = {
  decision: false,
  context: {
    reason: 'role_missing',
    message:
      "roles/gitopsServiceAgent would give 'bb.plans.create' on projects/payments: workloadIdentity:gitlab-deploy@workload.example.com has none that does.",
    decisionId: '019ab5e0-3f5c-7d43-9a0b-6f1c2e8d4a57',
    missing: { on: 'projects/payments', roles: ['roles/gitopsServiceAgent'], grants: [] },
  },
}
