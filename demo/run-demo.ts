import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { startGitlab } from '../test/support/gitlab.ts'
import { freePort } from '../test/support/postgres.ts'
import { checkJob, isLetIn, type ShownDecision } from './check-job.ts'
import { type DemoJob, demoJobs } from './demo-jobs.ts'
import { leaveRunning } from './leave-running.ts'
import type { Printer } from './printer.ts'
import { createJobRunner, type JobResult, type JobRunner } from './run-job.ts'
import { showDecisions } from './show-decisions.ts'
import { showOutput } from './show-output.ts'
import { type Service, startService } from './start-service.ts'

export type DemoOptions = {
  /** Leaves everything running until the signal. */
  readonly keep: boolean
  readonly printer: Printer
  readonly env: NodeJS.ProcessEnv
  /** Ends the demo where it stands; what was started is ended too. */
  readonly signal: AbortSignal
}

/**
 * Shows the whole way of a job's token, with everything real but GitLab itself, and checks what comes of it.
 * Throws where it cannot run. Nothing is left behind, whatever happens.
 */
export async function runDemo(options: DemoOptions): Promise<{ asExpected: boolean }> {
  const { printer, env, signal } = options
  const startedAt = performance.now()
  await using opened = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-demo-'))
  opened.defer(() => rmSync(directory, { recursive: true, force: true }))
  printer.line(
    `${printer.paint('bold', 'claimgate')}: a CI job trades its own token for a short-lived access token.`,
  )

  printer.heading('1. What runs, all of it on this machine')
  const gitlab = await startGitlab({ clock: systemClock })
  opened.defer(() => gitlab.close())
  printer.line(`   GitLab: a look-alike at ${gitlab.issuerUrl} that signs job tokens with a new RSA key.`)
  printer.line('   The service: starting, on a new embedded database, which takes some seconds …')
  const { issuerUrl } = gitlab
  const service = await startService({
    port: await freePort(),
    directory,
    privateIssuer: issuerUrl,
    env,
    signal,
  })
  opened.defer(() => service.close())
  printer.line(`   The service: at ${service.url}, ready ${secondsSince(startedAt)} s after the start.`)

  printer.heading('2. An identity for the jobs of my-group/my-project')
  const email = await createIdentity(service, issuerUrl, printer)

  printer.heading('3. The jobs')
  const runner = createJobRunner({ path: env.PATH ?? '', directory, signal })
  sayHowJobsRun(runner.missing, printer)
  const jobs = demoJobs(gitlab)
  const results = await runJobs(
    jobs,
    runner,
    { BYTEBASE_URL: service.url, WORKLOAD_IDENTITY_EMAIL: email },
    options,
  )

  printer.heading('4. What was recorded of it: GET /v1/decisions, as administrator')
  const decisions = await listDecisions(service, email)
  showDecisions(decisions, printer)
  const problems = jobs.flatMap((job, index) => checkJob(job, results[index], decisions[index]))
  if (decisions.length !== jobs.length)
    problems.push(`There are ${decisions.length} decisions on ${jobs.length} exchanges.`)
  printer.line()
  for (const problem of problems) printer.line(printer.paint('red', `Not as it should be. ${problem}`))
  if (problems.length === 0) {
    printer.line(printer.paint('green', `Every job ended as it should (${secondsSince(startedAt)} s).`))
  }

  if (options.keep) {
    leaveRunning({ service, issuerUrl, directory, email, newJobs: () => demoJobs(gitlab) }, printer)
    await untilAborted(signal)
  }
  return { asExpected: problems.length === 0 }
}

function secondsSince(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1)
}

/** The guide's form: name, email prefix, platform, group, project, all branches and tags, role. */
async function createIdentity(service: Service, issuerUrl: string, printer: Printer): Promise<string> {
  const path = '/v1/workspaces/default/workloadIdentities?workloadIdentityId=gitlab-deploy'
  const body = {
    title: 'GitLab Deploy',
    workloadIdentityConfig: {
      providerType: 'GITLAB',
      issuerUrl,
      rules: [{ group: 'my-group', project: 'my-project', refs: [], roles: ['roles/gitopsServiceAgent'] }],
    },
  }
  printer.line(`   POST ${path}`)
  printer.quote(JSON.stringify(body, null, 2))
  const identity = await asAdministrator(service, 'POST', path, body)
  printer.line(`   Its email is ${printer.paint('bold', identity.email)}.`)
  printer.text(
    "No refs means all branches and tags, and so merge requests too, as long as they come from the project's own branches.",
  )
  for (const notice of identity.notices ?? []) printer.text(`It notes: ${notice}`)
  return identity.email
}

function sayHowJobsRun(missing: readonly string[], printer: Printer): void {
  printer.text(
    missing.length === 0
      ? 'The scripts of the guide, demo/deploy.sh and demo/review.sh, are run by sh as they are, with the variables that GitLab would give them.'
      : `${new Intl.ListFormat('en-GB').format(missing)} cannot be found on this machine, so the scripts of the guide (demo/deploy.sh and demo/review.sh) cannot run: the same requests are made from Node.`,
  )
  printer.text("Of a refusal, which is JSON, its message, reason and decision's id are shown here.")
}

async function runJobs(
  jobs: readonly DemoJob[],
  runner: JobRunner,
  variables: { readonly BYTEBASE_URL: string; readonly WORKLOAD_IDENTITY_EMAIL: string },
  { printer, signal }: DemoOptions,
): Promise<readonly JobResult[]> {
  const results: JobResult[] = []
  for (const [index, job] of jobs.entries()) {
    signal.throwIfAborted()
    const result = await runner.run(job.script, { ...variables, GITLAB_OIDC_TOKEN: job.token })
    const outcome = isLetIn(result) ? printer.paint('green', 'allowed') : printer.paint('red', 'denied')
    printer.line(`\n   ${index + 1}. ${printer.paint('bold', job.title)}: ${outcome}`)
    printer.text(job.why)
    showOutput(result.output, printer)
    results.push(result)
  }
  return results
}

/** Oldest first, as the jobs ran. */
async function listDecisions(service: Service, email: string): Promise<readonly ShownDecision[]> {
  const path = `/v1/decisions?pageSize=100&identity=${encodeURIComponent(email)}`
  const { decisions } = await asAdministrator(service, 'GET', path)
  return decisions.toReversed()
}

// biome-ignore lint/suspicious/noExplicitAny: the demo looks into answers of several shapes
async function asAdministrator(service: Service, method: string, path: string, body?: object): Promise<any> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${service.adminToken}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${answer}`)
  return JSON.parse(answer)
}

function untilAborted(signal: AbortSignal): Promise<void> {
  // A listener alone keeps no process alive, but the look-alike that listens does.
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
