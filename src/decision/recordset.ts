/** Columns with their types, as `json_to_recordset` reads them. */
type Columns = Readonly<Record<string, string>>

/** The rows of a parameter that is a JSON array, as a table of these columns that is called `a`. */
export function recordset(parameter: '$1' | '$2', columns: Columns): string {
  const types = Object.entries(columns).map(([name, type]) => `${name} ${type}`)
  return `json_to_recordset(${parameter}::json) as a(${types.join(', ')})`
}

/** The identity, its project and the issuer of a row `a`, as they are now. */
export const DECIDED_ON = `
        left join workload_identities i on i.email = a.identity and not i.superseded
        left join projects p on p.id = i.project_id
        left join issuers s on s.issuer_url = a.issuer_url`

/** That these are what the decision was made on. */
export const IS_CURRENT = `(not a.check_identity or (i.revision is not distinct from a.identity_revision
          and p.revision is not distinct from a.project_revision))
        and s.revision is not distinct from a.issuer_revision`
