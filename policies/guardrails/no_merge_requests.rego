# METADATA
# title: No merge requests
# description: |
#   Code of a merge request has not been reviewed yet, and whoever may open one decides what it says. So only pipelines
#   are let in that somebody starts on a branch or tag. A child pipeline (`parent_pipeline`) does not say whether its
#   parent belongs to a merge request, so it needs a protected branch or tag, as does any other source.
#
#   Beside others: keep this file's `met` rules and put its line of `required` into theirs.
package claimgate.guardrails

required := {"no_merge_requests": "Pipelines of merge requests get no access tokens: run the job on a branch or tag."}

met contains "no_merge_requests" if {
	input.claims.pipeline_source in {"push", "web", "schedule", "api", "trigger", "chat", "webide"}
}

met contains "no_merge_requests" if {
	input.claims.pipeline_source != "merge_request_event"
	input.claims.pipeline_source != "external_pull_request_event"
	input.claims.ref_protected == "true"
}
