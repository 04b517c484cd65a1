// For NGINX's njs: 204 for a token that counts now and is for this service, 401 for any other.
async function check(r) {
  const bearer = /^Bearer +([\w.-]+)$/i.exec(r.headersIn.Authorization || '')
  if (bearer === null) return r.return(401)
  const reply = await r.subrequest('/_introspect', { method: 'POST', body: `token=${bearer[1]}` })
  if (reply.status !== 200) return r.return(500)
  const token = JSON.parse(reply.responseText)
  if (token.active !== true || token.aud !== r.variables.audience) return r.return(401)
  r.headersOut['X-Workload'] = token.sub
  r.headersOut['X-Workload-Roles'] = token.roles.join(',')
  r.return(204)
}

export default { check }
