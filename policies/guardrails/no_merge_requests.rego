# METADATA
# title: No merge requests
# description: |
#   Code of a merge request has not been reviewed yet, and whoever may open one decides what it says. So only pipelines
#   are let in that somebody starts on a branch or tag. A child pipeline (`parent_pipeline`) does not say whether its
#   parent belongs to a merge request, so it needs a protected branch or tag. Of GitHub, no events of pull requests.
#
#   Beside others: keep this file's `met` rules and put its line of `required` into theirs.
package claimgate.guardrails

required := {"no_merge_requests": "Pipelines of merge requests get no access tokens: run the job on a branch or tag."}

met contains "no_merge_requests" if {
	input.provider == "GITLAB"
	input.claims.pipeline_source in {"push", "web", "schedule", "api", "trigger", "chat", "webide"}
}

met contains "no_merge_requests" if {
	input.provider == "GITLAB"
	input.claims.pipeline_source in {"parent_pipeline", "pipeline"}
	input.claims.ref_protected == "true"
}

met contains "no_merge_requests" if {
	input.provider == "GITHUB"
	input.claims.event_name in {"push", "workflow_dispatch", "schedule", "release", "repository_dispatch"}
}
