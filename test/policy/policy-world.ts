import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import type { Rule } from '../../src/identity/rule.ts'
import { createPolicyCompiler } from '../../src/policy/compile-policy.ts'
import { createOpa, type PolicyModule } from '../../src/policy/opa.ts'
import { opaBinary } from '../../src/policy/opa-binary.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'

/** The compiler that the installation built, and what the service gives it. */
export const binary = opaBinary(process.env.OPA_BIN)
export const silent = pino({ level: 'silent' })
export const capabilities = readFileSync(`${POLICIES_DIR}/capabilities.json`, 'utf8')
export const schema = readFileSync(`${POLICIES_DIR}/schemas/gitlab.json`, 'utf8')

export function realOpa(timeoutMs?: number) {
  return createOpa({ binary, log: silent, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
}

export function realCompiler() {
  return createPolicyCompiler({ opa: realOpa(), policiesDir: POLICIES_DIR })
}

/** The WASM of Rego that is no identity's policy; throws where it does not compile. */
export async function wasmOf(source: string, entrypoint = 'claimgate/verdict'): Promise<Uint8Array> {
  const modules: readonly PolicyModule[] = [{ path: 'tried.rego', source }]
  const built = await realOpa().build(modules, { entrypoint, capabilities })
  if (!built.ok) throw new Error(built.problems.map(({ message }) => message).join('\n'))
  return built.wasm
}

/** A rule with the defaults of `refs` given; each test changes what it is about. */
export function ruleWith(changes: Partial<Rule> = {}): Rule {
  return {
    id: 'deploy',
    title: 'Deploy',
    disabled: false,
    group: 'acme',
    project: 'app',
    refs: [
      { type: 'BRANCH', pattern: 'main' },
      { type: 'TAG', pattern: 'v*' },
    ],
    protectedRefsOnly: true,
    mergeRequests: 'NONE',
    pipelineSources: ['push', 'web', 'schedule', 'api'],
    claims: {},
    ids: { projectIds: [], namespaceIds: [] },
    roles: ['roles/gitopsServiceAgent'],
    ...changes,
  }
}

export const claims = {
  namespace_path: 'acme',
  project_path: 'acme/app',
  project_id: '20',
  job_project_id: '20',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  pipeline_source: 'push',
}

export function inputWith(changes: Readonly<Record<string, unknown>> = {}): string {
  const identity = { email: 'deploy@workload.example.com', project: '' }
  return JSON.stringify({
    claims: { ...claims, ...changes },
    time: 1_767_225_600,
    identity,
    provider: 'GITLAB',
  })
}
