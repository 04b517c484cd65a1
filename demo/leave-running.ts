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
  /** Makes new ones, whose tokens were not exchanged yet. */
  readonly newJobs: () => readonly DemoJob[]
}

/** How many jobs of each kind can be run by hand, as each token works once. */
const TRIES = 5

/** Says how to go on by hand. Secrets go into files for this user alone, not onto the screen. */
export function leaveRunning(
  { service, issuerUrl, directory, email, newJobs }: LeftRunning,
  printer: Printer,
): void {
  const common = {
    BYTEBASE_URL: service.url,
    WORKLOAD_IDENTITY_EMAIL: email,
    ADMIN_TOKEN: service.adminToken,
  }
  for (let number = 1; number <= TRIES; number++) {
    const jobs = newJobs()
    for (const script of ['deploy', 'review']) {
      const token = jobs.find((job) => job.script === script)?.token ?? ''
      const variables = Object.entries({ ...common, GITLAB_OIDC_TOKEN: token })
      const text = variables.map(([name, value]) => `export ${name}='${value}'\n`).join('')
      writeFileSync(join(directory, `${script}-${number}.env`), text, { mode: 0o600 })
    }
  }
  printer.heading('Left running until Ctrl-C')
  printer.line(`   The service        ${service.url}`)
  printer.line(`   Its log            ${join(directory, 'service.log')}`)
  printer.line(`   GitLab look-alike  ${issuerUrl}`)
  printer.line(`   A new deploy job   . ${join(directory, 'deploy-1.env')}; sh demo/deploy.sh`)
  printer.line(`   A new review job   . ${join(directory, 'review-1.env')}; . demo/review.sh`)
  printer.text(
    `Each token works once and for an hour: for another job take deploy-2.env to deploy-${TRIES}.env, or ` +
      `review-2.env to review-${TRIES}.env. For more, start the demo again.`,
  )
  printer.line(
    '   The decisions      curl -s -H "Authorization: Bearer $ADMIN_TOKEN" "$BYTEBASE_URL/v1/decisions"',
  )
}
