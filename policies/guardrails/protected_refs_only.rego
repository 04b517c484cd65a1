# METADATA
# title: Protected refs only
# description: |
#   Whoever may push to a branch decides what its pipeline does. Protected branches and tags are those to which only
#   chosen people may push, so only their jobs are let in, whatever the rules of an identity say. GitLab and GitHub both
#   say it in `ref_protected`.
#
#   Beside others: keep this file's `met` rule and put its line of `required` into theirs.
package claimgate.guardrails

required := {"protected_ref": "Only jobs on protected branches and tags get access tokens."}

met contains "protected_ref" if input.claims.ref_protected == "true"
