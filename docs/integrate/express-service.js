import express from 'express'
import { verifyAccessToken } from './verify.js'

const { CLAIMGATE_URL, CLAIMGATE_TOKEN, PORT } = process.env

/** Lets in whoever has a good token for this service. */
async function authenticate(req, res, next) {
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(req.get('authorization') ?? '') ?? []
  const claims = token === undefined ? undefined : await verifyAccessToken(token)
  if (claims === undefined) return res.set('WWW-Authenticate', 'Bearer').sendStatus(401)
  req.workload = { ...claims, token }
  next()
}

/** Lets in whose token has the role. */
function demandRole(role) {
  return (req, res, next) => (req.workload.roles.includes(role) ? next() : res.sendStatus(403))
}

/** Lets in who may do this in the project that the path names, as claimgate says now. */
function demandPermission(permission) {
  return async (req, res, next) => {
    const answer = await fetch(`${CLAIMGATE_URL}/access/v1/evaluation`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${CLAIMGATE_TOKEN}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        subject: { type: 'token', id: req.workload.token },
        action: { name: permission },
        resource: { type: 'project', id: req.params.project },
      }),
      signal: AbortSignal.timeout(5_000),
    })
    if (!answer.ok) throw new Error(`claimgate answered ${answer.status}`)
    const { decision, context } = await answer.json()
    return decision === true ? next() : res.status(403).json(context)
  }
}

const app = express()
app.get('/', authenticate, (req, res) => res.json({ sub: req.workload.sub, roles: req.workload.roles }))
app.post('/deploy', authenticate, demandRole('roles/gitopsServiceAgent'), (_req, res) => res.json({}))
app.post('/projects/:project/plans', authenticate, demandPermission('bb.plans.create'), (_req, res) =>
  res.json({}),
)
app.listen(Number(PORT), '127.0.0.1')
