package claimgate.conditions

required := {"own_environment": "A branch release/NAME deploys to the environment NAME."}

met contains "own_environment" if input.claims.ref == concat("/", ["release", input.claims.environment])
