import { gitlabClaims } from '../../test/support/gitlab-claims.ts'
import type { Load } from './load.ts'
import type { Tokens } from './tokens.ts'

/** Writes the next request of a load, headers and all; undefined when its tokens are used up. */
export function createRequestWriter(
  { url, path, requests }: Load,
  tokens: Tokens,
  nextToken: (series: string) => string | undefined,
): () => string | undefined {
  const head = `POST ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n`
  const write = (body: string, headers = '', type = 'application/json') =>
    `${head}${headers}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  switch (requests.kind) {
    case 'exchange': {
      const { emails, series } = requests
      return () => {
        const token = nextToken(series)
        return token && write(JSON.stringify({ token, email: emails[random(emails.length)] }))
      }
    }
    case 'forged': {
      const { email, addresses } = requests
      return () => {
        const address = random(addresses)
        const header = `X-Forwarded-For: 203.0.${address >> 8}.${address & 255}\r\n`
        return write(JSON.stringify({ token: tokens.forged(), email }), header)
      }
    }
    case 'introspection': {
      const authorization = `Authorization: Bearer ${requests.adminToken}\r\n`
      const requestOf = (token: string) =>
        write(`token=${token}`, authorization, 'application/x-www-form-urlencoded')
      const written = requests.tokens.map(requestOf)
      return () => written[random(written.length)]
    }
    case 'access': {
      const { projects, permission, adminToken } = requests
      const authorization = `Authorization: Bearer ${adminToken}\r\n`
      return () => {
        const subject = { type: 'token', id: requests.tokens[random(requests.tokens.length)] }
        const resource = { type: 'project', id: `p-${1 + random(projects)}` }
        return write(JSON.stringify({ subject, action: { name: permission }, resource }), authorization)
      }
    }
    case 'evaluation': {
      const claims = gitlabClaims('18.9', { iss: tokens.issuerUrl, aud: tokens.issuerUrl, job_id: 'JOB' })
      const identity = { email: requests.email, project: '' }
      const input = { claims, time: Math.floor(Date.now() / 1000), identity, provider: 'GITLAB' }
      const [before = '', after = ''] = JSON.stringify({ input }).split('JOB')
      return () => write(`${before}${random(1e9)}${after}`)
    }
  }
}

function random(limit: number): number {
  return Math.floor(Math.random() * limit)
}
