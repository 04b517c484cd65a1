import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoJob } from './demo-jobs.ts'
import type { Printer } from './printer.ts'
import type { Service } from './start-service.ts'

export type LeftRunning = {
  readonly service: Service
  readonly issuerUrl: string
  readonly directory: string
  readonly email: string
  /** New ones, whose tokens were not exchanged yet. */
  readonly jobs: readonly DemoJob[]
}

/** Says how to go on by hand. Secrets go into files for this user alone, not onto the screen. */
export function leaveRunning(
  { service, issuerUrl, directory, email, jobs }: LeftRunning,
  printer: Printer,
): void {
  const common = {
    BYTEBASE_URL: service.url,
    WORKLOAD_IDENTITY_EMAIL: email,
    ADMIN_TOKEN: service.adminToken,
  }
  for (const script of ['deploy', 'review']) {
    const token = jobs.find((job) => job.script === script)?.token ?? ''
    const variables = Object.entries({ ...common, GITLAB_OIDC_TOKEN: token })
    const text = variables.map(([name, value]) => `export ${name}='${value}'\n`).join('')
    writeFileSync(join(directory, `${script}.env`), text, { mode: 0o600 })
  }
  printer.heading('Left running until Ctrl-C')
  printer.line(`   The service        ${service.url}`)
  printer.line(`   Its log            ${join(directory, 'service.log')}`)
  printer.line(`   GitLab look-alike  ${issuerUrl}`)
  printer.line(`   A new deploy job   . ${join(directory, 'deploy.env')}; sh demo/deploy.sh`)
  printer.line(`   A new review job   . ${join(directory, 'review.env')}; . demo/review.sh`)
  printer.line(
    '   The decisions      curl -s -H "Authorization: Bearer $ADMIN_TOKEN" "$BYTEBASE_URL/v1/decisions"',
  )
}
