package claimgate.guardrails

required := {"our_projects": "Only jobs of my-group and the groups in it get access tokens."}

met contains "our_projects" if lower(input.claims.namespace_path) == "my-group"

met contains "our_projects" if startswith(lower(input.claims.namespace_path), "my-group/")
