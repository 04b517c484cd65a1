import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { jobFromNode } from './job-from-node.ts'

export type JobName = 'deploy' | 'review'

/** What GitLab would put into a job's environment. */
export type JobVariables = {
  readonly BYTEBASE_URL: string
  readonly GITLAB_OIDC_TOKEN: string
  readonly WORKLOAD_IDENTITY_EMAIL: string
}

export type JobResult = { readonly output: string; readonly exitCode: number }

export type RunJob = (name: JobName, variables: JobVariables) => Promise<JobResult>

export type JobRunner = {
  readonly run: RunJob
  /** The programs that the scripts need and this machine lacks: then the same requests are made from Node. */
  readonly missing: readonly string[]
}

/** Makes what runs the guide's scripts by `sh`, unchanged, in `directory`. `path` is where programs are looked for. */
export function createJobRunner(options: {
  path: string
  directory: string
  signal: AbortSignal
}): JobRunner {
  const missing = ['sh', 'curl', 'jq'].filter((name) => !isOnPath(name, options.path))
  if (missing.length > 0) return { missing, run: jobFromNode }
  return { missing, run: (name, variables) => runBySh(name, variables, options) }
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return directory !== ''
    } catch {
      return false
    }
  })
}

/** The review script ends with a variable for the tool that comes after it; in its place we ask who the token is for. */
const AFTER_REVIEW = '. "$1"; curl -s "$BYTEBASE_URL/v1/users/me" -H "Authorization: Bearer $BYTEBASE_TOKEN"'

function runBySh(
  name: JobName,
  variables: JobVariables,
  { path, directory, signal }: { path: string; directory: string; signal: AbortSignal },
): Promise<JobResult> {
  const script = join(import.meta.dirname, `${name}.sh`)
  const args = name === 'review' ? ['-c', AFTER_REVIEW, 'sh', script] : [script]
  // Neither somebody's .curlrc nor a proxy may come between a job and the service on this machine.
  const env = {
    PATH: path,
    HOME: directory,
    CURL_HOME: directory,
    NO_PROXY: '*',
    no_proxy: '*',
    ...variables,
  }
  return new Promise((resolve, reject) => {
    execFile('sh', args, { cwd: directory, env, signal }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ output: `${stdout}${stderr}`.trim(), exitCode: Number(error?.code ?? 0) })
    })
  })
}
