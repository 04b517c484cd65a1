import { execFile, execFileSync } from 'node:child_process'

export type ShellResult = { readonly output: string; readonly exitCode: number }

/** Why examples cannot be run here, for a test's `skip`; false where they can. */
export const CANNOT_RUN = canRun() ? false : 'sh, curl or jq is not on this machine'

/** Runs a script as a CI runner does: by sh, ending at the first command that fails, with these variables alone. */
export function runShell(
  script: string,
  env: Readonly<Record<string, string>>,
  cwd = '/',
): Promise<ShellResult> {
  const all = { PATH: process.env.PATH ?? '', NO_PROXY: '*', ...env }
  return new Promise((resolve) => {
    execFile('sh', ['-ec', script], { cwd, env: all }, (error, stdout, stderr) => {
      resolve({ output: `${stdout}${stderr}`, exitCode: Number(error?.code ?? 0) })
    })
  })
}

function canRun(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v curl && command -v jq'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
