# METADATA
# title: Ids pinned
# description: |
#   A path such as my-group/my-project can be given up and registered by somebody else; its numbers cannot. This lets in
#   only the namespaces (groups and users) whose numbers are listed in `namespaces`, whatever their paths say. The number
#   is that of the group which holds the project itself, as a job's token has it in `namespace_id`; of GitHub, that of
#   the owner (`repository_owner_id`), listed in `owners`.
#
#   Beside others: keep `namespaces`, `owners` and this file's `met` rules, and put its line of `required` into theirs.
package claimgate.guardrails

required := {"ids_pinned": "This group's number is not listed: have it added to the guardrails' namespaces."}

namespaces := {"72"}

owners := {"9919"}

met contains "ids_pinned" if {
	input.provider == "GITLAB"
	input.claims.namespace_id in namespaces
}

met contains "ids_pinned" if {
	input.provider == "GITHUB"
	input.claims.repository_owner_id in owners
}
