# METADATA
# title: Ids pinned
# description: |
#   A path such as my-group/my-project can be given up and registered by somebody else; its numbers cannot. This lets in
#   only the namespaces (groups and users) whose numbers are listed in `namespaces`, whatever their paths say. The number
#   is that of the group which holds the project itself, as a job's token has it in `namespace_id`.
#
#   Beside others: keep `namespaces` and this file's `met` rule, and put its line of `required` into theirs.
package claimgate.guardrails

required := {"ids_pinned": "This group's number is not listed: have it added to the guardrails' namespaces."}

namespaces := {"72"}

met contains "ids_pinned" if input.claims.namespace_id in namespaces
