# METADATA
# title: GitHub Actions
# description: |
#   What the claims of a GitHub Actions job's ID token prove about each rule. Facts are positive only: a claim that is
#   missing or of another type than GitHub sends proves nothing, and what is not proved here is not met.
#   https://docs.github.com/en/actions/reference/security/oidc
package claimgate.provider.github

import data.claimgate.paths
import data.claimgate.refs
import data.claimgate.rules
import data.claimgate.words

# METADATA
# title: Conditions that are met
# description: The codes of the conditions that the token meets, by the rule's place in `rules`.
met[i] contains "group" if {
	some i, rule in rules
	paths.same(claims.repository_owner, rule.group)
}

met[i] contains "project" if {
	some i, rule in rules
	rule.project == ""
	claims
}

met[i] contains "project" if {
	some i, rule in rules
	rule.project != ""
	paths.same(claims.repository, repository(rule))
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

# Whatever the rule says: nothing in a token tells the pull request of a fork.
met[i] contains "merge_request" if {
	some i, _ in rules
	event_without_pull_request
}

met[i] contains "fork" if {
	some i, _ in rules
	event_without_pull_request
	no_head_ref
}

met[i] contains "pipeline_source" if {
	some i, rule in rules
	event_without_pull_request
	claims.event_name in rule.pipelineSources
}

met[i] contains "project_id" if {
	some i, rule in rules
	claims.repository_id in rule.ids.projectIds
}

met[i] contains "namespace_id" if {
	some i, rule in rules
	claims.repository_owner_id in rule.ids.namespaceIds
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
	"group": {"claim": "repository_owner", "expected": $"'{rule.group}'"},
	"project": {"claim": "repository", "expected": expected_project(rule)},
	"ref": looked_at_ref(rule),
	"protected_ref": {"claim": "ref_protected", "expected": expected_protection(rule)},
	"merge_request": {"claim": "event_name", "expected": expected_event},
	"fork": looked_at_fork,
	"pipeline_source": {"claim": "event_name", "expected": words.one_of(rule.pipelineSources)},
	"project_id": {"claim": "repository_id", "expected": words.one_of(rule.ids.projectIds)},
	"namespace_id": {"claim": "repository_owner_id", "expected": words.one_of(rule.ids.namespaceIds)},
} if {
	input.provider == "GITHUB"
	some i, rule in rules
}

claims := input.claims if {
	input.provider == "GITHUB"
	is_object(input.claims)
}

# A rule of its own, so that it is made once for each token.
claim_names := object.keys(claims)

claim_absent(name) if {
	claim_names
	not claim_names[name]
}

repository(rule) := concat("/", [rule.group, rule.project])

ref_types := {
	"branch": {"type": "BRANCH", "prefix": "refs/heads/"},
	"tag": {"type": "TAG", "prefix": "refs/tags/"},
}

ref_type := ref_types[claims.ref_type]

# The branch or tag that the job runs on; a pull request has `refs/pull/1/merge`, and says `branch` all the same.
named_ref := {"type": ref_type.type, "name": name} if {
	startswith(claims.ref, ref_type.prefix)
	name := substring(claims.ref, count(ref_type.prefix), -1)
	name != ""
}

# A workflow_run does not say what it follows, which may be a pull request of a fork.
event_without_pull_request if {
	is_string(claims.event_name)
	claims.event_name != "workflow_run"
	not startswith(claims.event_name, "pull_request")
}

no_head_ref if claim_absent("head_ref")

no_head_ref if claims.head_ref == ""

expected_project(rule) := "any repository of the owner" if rule.project == ""

expected_project(rule) := $"'{repository(rule)}'" if rule.project != ""

looked_at_ref(rule) := {"claim": "ref_type", "expected": "'branch' or 'tag'"} if {
	not ref_type
} else := {"claim": "ref", "expected": expected_ref(rule)} if {
	named_ref
} else := {"claim": "ref", "expected": $"'{ref_type.prefix}' and the name of the {claims.ref_type}"}

expected_ref(rule) := "any branch or tag" if count(rule.refs) == 0

expected_ref(rule) := concat(" or ", [$"{lower(ref.type)} '{ref.pattern}'" | some ref in rule.refs]) if {
	count(rule.refs) > 0
}

expected_protection(rule) := "any value" if rule.protectedRefsOnly == false

expected_protection(rule) := "'true'" if rule.protectedRefsOnly == true

expected_event := "any event but 'workflow_run' and those of pull requests"

looked_at_fork := {"claim": "head_ref", "expected": "nothing, as it names the branch of a pull request"} if {
	event_without_pull_request
} else := {"claim": "event_name", "expected": expected_event}
