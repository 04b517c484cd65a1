/** The body of a create; each test changes what it is about. */
export function identityBody(issuerUrl: string, config: object = {}, more: object = {}) {
  return {
    title: 'GitLab Deploy',
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl,
      rules: [{ group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }],
      ...config,
    },
    ...more,
  }
}
