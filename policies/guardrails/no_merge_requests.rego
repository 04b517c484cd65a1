# METADATA
# title: No merge requests
# description: |
#   Code of a merge request has not been reviewed yet, and whoever may open one decides what it says. So only pipelines
#   are let in that somebody starts on a branch or tag: the ways that are listed here, and no other. Child pipelines and
#   those of other projects (`parent_pipeline`, `pipeline`) do not say whether a merge request is behind them, so they
#   need a protected branch or tag. Of GitHub, no events of pull requests, and of the others those that are listed.
#
#   Beside others: keep this file's `met` rules and put its line of `required` into theirs.
package claimgate.guardrails

required := {"no_merge_requests": "Only pipelines that somebody starts on a branch or tag get access tokens, none of merge requests."}

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
