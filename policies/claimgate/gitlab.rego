# METADATA
# title: GitLab
# description: |
#   What the claims of a GitLab job's ID token prove about each rule. Facts are positive only: a claim that is missing
#   or of another type than GitLab sends proves nothing, and what is not proved here is not met.
#   https://docs.gitlab.com/ci/secrets/id_token_authentication/
package claimgate.provider.gitlab

import data.claimgate.paths
import data.claimgate.refs
import data.claimgate.rules
import data.claimgate.words

# METADATA
# title: Conditions that are met
# description: The codes of the conditions that the token meets, by the rule's place in `rules`.
met[i] contains "group" if {
	some i, rule in rules
	paths.within(claims.namespace_path, rule.group)
}

met[i] contains "project" if {
	some i, rule in rules
	rule.project == ""
	claims
}

met[i] contains "project" if {
	some i, rule in rules
	rule.project != ""
	paths.same(claims.project_path, project_path(rule))
}

met[i] contains "ref" if {
	some i, rule in rules
	count(rule.refs) == 0
	named_ref
}

met[i] contains "ref" if {
	some i, rule in rules
	some wanted in rule.refs
	wanted.type == named_ref.type
	refs.covers(wanted.pattern, named_ref.name)
}

met[i] contains "protected_ref" if {
	some i, rule in rules
	rule.protectedRefsOnly == false
	claims
}

met[i] contains "protected_ref" if {
	some i, rule in rules
	rule.protectedRefsOnly == true
	claims.ref_protected == "true"
}

met[i] contains "merge_request" if {
	some i, _ in rules
	is_string(claims.pipeline_source)
	not claims.pipeline_source in {"merge_request_event", "parent_pipeline"}
}

met[i] contains "merge_request" if {
	some i, rule in rules
	claims.pipeline_source in {"merge_request_event", "parent_pipeline"}
	rule.mergeRequests == "SAME_PROJECT"
}

# A child pipeline does not say whether its parent is a merge request's.
met[i] contains "merge_request" if {
	some i, _ in rules
	claims.pipeline_source == "parent_pipeline"
	claims.ref_protected == "true"
}

met[i] contains "fork" if {
	some i, _ in rules
	runs_in_own_project
}

met[i] contains "pipeline_source" if {
	some i, rule in rules
	claims.pipeline_source in rule.pipelineSources
}

# Whether a merge request passes is for the condition merge_request alone to say.
met[i] contains "pipeline_source" if {
	some i, _ in rules
	claims.pipeline_source == "merge_request_event"
}

met[i] contains "project_id" if {
	some i, rule in rules
	claims.project_id in rule.ids.projectIds
}

met[i] contains "namespace_id" if {
	some i, rule in rules
	claims.namespace_id in rule.ids.namespaceIds
}

met[i] contains code if {
	some i, rule in rules
	some name, values in rule.claims
	claims[name] in values
	code := concat(":", ["claim", name])
}

# METADATA
# title: What each condition looks at
# description: The claim that a condition of a rule reads and what it expects there in words, by the rule's place.
looks_at[i] := {
	"group": {"claim": "namespace_path", "expected": $"'{rule.group}' or a group below it"},
	"project": {"claim": "project_path", "expected": expected_project(rule)},
	"ref": looked_at_ref(rule),
	"protected_ref": {"claim": "ref_protected", "expected": expected_protection(rule)},
	"merge_request": looked_at_merge_request(rule),
	"fork": looked_at_fork,
	"pipeline_source": {"claim": "pipeline_source", "expected": expected_source(rule)},
	"project_id": {"claim": "project_id", "expected": words.one_of(rule.ids.projectIds)},
	"namespace_id": {"claim": "namespace_id", "expected": words.one_of(rule.ids.namespaceIds)},
} if {
	input.provider == "GITLAB"
	some i, rule in rules
}

claims := input.claims if {
	input.provider == "GITLAB"
	is_object(input.claims)
}

# A rule of its own, so that it is made once for each token.
claim_names := object.keys(claims)

claim_absent(name) if {
	claim_names
	not claim_names[name]
}

project_path(rule) := concat("/", [rule.group, rule.project])

ref_types := {
	"branch": {"type": "BRANCH", "prefix": "refs/heads/"},
	"tag": {"type": "TAG", "prefix": "refs/tags/"},
}

ref_type := ref_types[claims.ref_type]

ref_filled if is_filled(claims.ref)

# The branch or tag that the job runs on, where all claims about it agree.
named_ref := {"type": ref_type.type, "name": claims.ref} if {
	ref_filled
	ref_path_agrees(ref_type.prefix)
}

# GitLab before 16.0 sends no ref_path.
ref_path_agrees(_) if claim_absent("ref_path")

ref_path_agrees(prefix) if claims.ref_path == concat("", [prefix, claims.ref])

is_filled(text) if {
	is_string(text)
	text != ""
}

runs_in_own_project if {
	is_filled(claims.job_project_id)
	claims.job_project_id == claims.project_id
}

# Before 18.4 GitLab does not say where a job runs; these sources start no job of a fork in its parent project.
runs_in_own_project if {
	claim_absent("job_project_id")
	claims.pipeline_source in {"push", "web", "schedule", "api", "chat", "webide"}
}

expected_project(rule) := "any project of the group" if rule.project == ""

expected_project(rule) := $"'{project_path(rule)}'" if rule.project != ""

looked_at_ref(rule) := {"claim": "ref_type", "expected": "'branch' or 'tag'"} if {
	not ref_type
} else := {"claim": "ref", "expected": expected_ref(rule)} if {
	not ref_filled
} else := {"claim": "ref", "expected": expected_ref(rule)} if {
	claim_absent("ref_path")
} else := {"claim": "ref_path", "expected": expected_ref(rule)} if {
	named_ref
} else := {"claim": "ref_path", "expected": $"'{ref_type.prefix}' and then what ref says"}

expected_ref(rule) := "any branch or tag" if count(rule.refs) == 0

expected_ref(rule) := concat(" or ", [$"{lower(ref.type)} '{ref.pattern}'" | some ref in rule.refs]) if {
	count(rule.refs) > 0
}

expected_protection(rule) := "any value" if rule.protectedRefsOnly == false

expected_protection(rule) := "'true'" if rule.protectedRefsOnly == true

looked_at_merge_request(rule) := {
	"claim": "ref_protected",
	"expected": "'true', because a child pipeline may belong to a merge request",
} if {
	claims.pipeline_source == "parent_pipeline"
	rule.mergeRequests == "NONE"
} else := {"claim": "pipeline_source", "expected": "any source but 'merge_request_event'"} if {
	rule.mergeRequests == "NONE"
} else := {"claim": "pipeline_source", "expected": "any source"}

looked_at_fork := {
	"claim": "job_project_id",
	"expected": concat("", [
		"the pipeline's own project, which needs GitLab 18.4 (or a patch release of 18.2 or 18.3 that has the claim), ",
		"or else a pipeline_source of 'push', 'web', 'schedule', 'api', 'chat' or 'webide'",
	]),
} if {
	claim_absent("job_project_id")
} else := {"claim": "job_project_id", "expected": $"project_id '{claims.project_id}'"} if {
	is_filled(claims.project_id)
	trim(claims.project_id, "0123456789") == ""
} else := {"claim": "job_project_id", "expected": "what project_id says"} if {
	runs_in_own_project
} else := {"claim": "project_id", "expected": "the number of a project, as text"}

expected_source(rule) := concat("", [words.one_of(rule.pipelineSources), of_merge_request]) if {
	rule.mergeRequests == "NONE"
}

expected_source(rule) := words.one_of(array.concat(rule.pipelineSources, ["merge_request_event"])) if {
	rule.mergeRequests == "SAME_PROJECT"
}

default of_merge_request := ""

of_merge_request := ", or 'merge_request_event', which merge_request judges" if {
	claims.pipeline_source == "merge_request_event"
}
