package claimgate.provider.github_test

import data.claimgate

# The same cases are run through the WASM, which is why each is plain data: a rule's id, claims, and what is not met.
test_unmet_conditions[note] if {
	some note, reached in verdicts
	reached.unmet == cases[note].unmet
}

test_only_met_rules_allow[note] if {
	some note, reached in verdicts
	verdict := reached.verdict
	granted := count([rule | some rule in verdict.rules; rule.met]) > 0
	verdict.allow == granted
}

test_every_condition_is_always_told if {
	always := {"group", "project", "ref", "protected_ref", "merge_request", "fork", "pipeline_source"}
	every verdict in [tried.verdict | some tried in verdicts] {
		every rule in verdict.rules {
			count(always - object.keys(rule.conditions)) == 0
		}
	}
}

test_conditions_that_only_some_rules_have if {
	codes := {note: object.keys(verdicts[note].conditions) | some note in ["allowed", "ids", "environment"]}
	codes.ids - codes.allowed == {"project_id", "namespace_id"}
	codes.environment - codes.allowed == {"claim:environment"}
}

test_roles_are_those_of_met_rules if {
	verdict := claimgate.verdict with claimgate.rules as rules with input as cases.allowed.input
	verdict.roles == ["roles/auditor", "roles/gitopsServiceAgent"]
	verdicts["another owner"].verdict.roles == []
}

test_another_provider_proves_nothing if {
	verdict := claimgate.verdict with claimgate.rules as rules
		with input as object.union(cases.allowed.input, {"provider": "ANOTHER"})
	not verdict.allow
	every rule in verdict.rules {
		every condition in rule.conditions {
			not condition.met
		}
	}
}

test_input_of_no_shape_proves_nothing[note] if {
	some note, odd in {"none": {}, "null": null, "claims are a list": {"claims": [], "provider": "GITHUB"}}
	verdict := claimgate.verdict with claimgate.rules as rules with input as odd
	not verdict.allow
	count(verdict.rules) == count(rules)
	every rule in verdict.rules {
		not rule.met
		not rule.conditions.group.met
	}
}

test_no_rules_allow_nothing if {
	verdict := claimgate.verdict with claimgate.rules as [] with input as cases.allowed.input
	verdict == {"allow": false, "rules": [], "conditions": [], "roles": []}
}

# A rule's own word does not count: none that says otherwise can be saved.
test_no_rule_admits_a_pull_request[event] if {
	some event in [
		"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "workflow_run",
	]
	open := rule("open", {
		"project": "", "refs": [], "protectedRefsOnly": false, "mergeRequests": "SAME_PROJECT",
		"pipelineSources": [event],
	})
	tried := object.union(cases.allowed.input, {"claims": object.union(token, {"event_name": event})})
	verdict := claimgate.verdict with claimgate.rules as [open] with input as tried
	not verdict.allow
	not verdict.rules[0].conditions.merge_request.met
	not verdict.rules[0].conditions.fork.met
}

test_expected_in_words if {
	looked := verdicts["another branch"].conditions
	looked.group == {"claim": "repository_owner", "expected": "'acme'", "actual": "acme", "met": true}
	looked.project.expected == "'acme/app'"
	looked.ref == {"claim": "ref", "expected": "branch 'main' or tag 'v*'", "actual": "refs/heads/x", "met": false}
	looked.protected_ref.expected == "'true'"
	looked.pipeline_source.expected == "one of 'push', 'workflow_dispatch', 'schedule'"
	looked.merge_request.expected == "any event but 'workflow_run' and those of pull requests"
	looked.fork.claim == "head_ref"
	verdicts["another branch, any is good"].conditions.ref.expected == "any branch or tag"
	verdicts["another branch, any is good"].conditions.project.expected == "any repository of the owner"
	verdicts["pull request of a fork"].conditions.fork.actual == "pull_request"
	verdicts["pull request of a fork"].conditions.ref.expected == "'refs/heads/' and the name of the branch"
	verdicts["ref_type missing"].conditions.ref.claim == "ref_type"
	verdicts["environment missing"].conditions["claim:environment"].expected == "one of 'production', 'staging'"
}

# What each case comes to for its rule alone.
verdicts[note] := {"verdict": verdict, "conditions": conditions, "unmet": unmet} if {
	some note, tried in cases
	own := [rule | some rule in rules; rule.id == tried.rule]
	verdict := claimgate.verdict with claimgate.rules as own with input as tried.input
	conditions := verdict.rules[0].conditions
	unmet := sort([code | some code, condition in conditions; not condition.met])
}

# What each case comes to for all rules at once: the WASM has to say the same.
verdicts_on_all_rules[note] := verdict if {
	some note, tried in cases
	verdict := claimgate.verdict with claimgate.rules as rules with input as tried.input
}

rule(id, changes) := object.union(
	{
		"id": id,
		"title": "",
		"disabled": false,
		"group": "acme",
		"project": "app",
		"refs": [{"type": "BRANCH", "pattern": "main"}, {"type": "TAG", "pattern": "v*"}],
		"protectedRefsOnly": true,
		"mergeRequests": "NONE",
		"pipelineSources": ["push", "workflow_dispatch", "schedule"],
		"claims": {},
		"ids": {"projectIds": [], "namespaceIds": []},
		"roles": [],
	},
	changes,
)

any_ref := {"refs": [], "protectedRefsOnly": false}

rules := [
	rule("main", {"roles": ["roles/gitopsServiceAgent"]}),
	rule("any-ref", object.union(any_ref, {"roles": ["roles/gitopsServiceAgent", "roles/auditor"]})),
	rule("owner", object.union(any_ref, {"project": ""})),
	rule("owner-main", {"project": ""}),
	rule("dotted", {"project": ".github"}),
	rule("user", {"group": "jane", "project": "tool"}),
	rule("unprotected", {"protectedRefsOnly": false}),
	rule("release", {"refs": [{"type": "BRANCH", "pattern": "release/*"}]}),
	rule("below", {"refs": [{"type": "BRANCH", "pattern": "a/**"}]}),
	rule("stars", {"refs": [{"type": "TAG", "pattern": "v*.*"}]}),
	rule("events", {"pipelineSources": ["repository_dispatch", "release"]}),
	rule("ids", {"ids": {"projectIds": ["19", "20"], "namespaceIds": ["72"]}}),
	rule("owner-id", {"project": "", "ids": {"projectIds": [], "namespaceIds": ["72"]}}),
	rule("environment", {"claims": {"environment": ["production", "staging"]}}),
	rule("reusable", {"claims": {"job_workflow_ref": ["acme/shared/.github/workflows/deploy.yml@refs/heads/main"]}}),
]

token := {
	"sub": "repo:acme/app:ref:refs/heads/main",
	"repository": "acme/app",
	"repository_id": "20",
	"repository_owner": "acme",
	"repository_owner_id": "72",
	"ref": "refs/heads/main",
	"ref_type": "branch",
	"ref_protected": "true",
	"head_ref": "",
	"base_ref": "",
	"event_name": "push",
	"environment": "production",
	"job_workflow_ref": "acme/app/.github/workflows/deploy.yml@refs/heads/main",
}

branch(name) := {"ref": concat("", ["refs/heads/", name])}

tag(name) := {"ref_type": "tag", "ref": concat("", ["refs/tags/", name])}

owned_by(owner) := {"repository_owner": owner, "repository": concat("/", [owner, "app"])}

pull_request := {
	"event_name": "pull_request",
	"ref": "refs/pull/7/merge",
	"ref_protected": "false",
	"head_ref": "feature",
	"base_ref": "main",
	"sub": "repo:acme/app:pull_request",
}

# One that was merged or closed has the ref of the branch that it went into.
closed := object.union(pull_request, {"ref": "refs/heads/main", "ref_protected": "true"})

# Rule, claims that differ from the token's, claims that are not in the token, conditions that are not met.
table := {
	"allowed": ["main", {}, [], []],
	"names in another case": ["main", {"repository_owner": "ACME", "repository": "ACME/App"}, [], []],
	"owner acme-evil": ["main", owned_by("acme-evil"), [], ["group", "project"]],
	"owner xacme": ["owner", owned_by("xacme"), [], ["group"]],
	"owner acme/": ["main", {"repository_owner": "acme/"}, [], ["group"]],
	"owner acme/sub": ["owner", owned_by("acme/sub"), [], ["group"]],
	"owner empty": ["main", {"repository_owner": ""}, [], ["group"]],
	"owner missing": ["main", {}, ["repository_owner"], ["group"]],
	"owner is a list": ["main", {"repository_owner": ["acme"]}, [], ["group"]],
	"owner is null": ["main", {"repository_owner": null}, [], ["group"]],
	"owner with a Kelvin sign": ["main", {"repository_owner": "ac\u212ae"}, [], ["group"]],
	"another owner": ["main", owned_by("other"), [], ["group", "project"]],
	"another owner's id": ["ids", {"repository_owner_id": "7"}, [], ["namespace_id"]],
	"repository with a longer name": ["main", {"repository": "acme/app2"}, [], ["project"]],
	"repository of another owner": ["main", {"repository": "evil/app"}, [], ["project"]],
	"repository without its owner": ["main", {"repository": "app"}, [], ["project"]],
	"repository missing": ["main", {}, ["repository"], ["project"]],
	"repository is an object": ["main", {"repository": {}}, [], ["project"]],
	"any repository": ["owner", {"repository": "acme/anything"}, [], []],
	"a name with a dot": ["dotted", {"repository": "acme/.github"}, [], []],
	"any character for the dot": ["dotted", {"repository": "acme/xgithub"}, [], ["project"]],
	"user": ["user", {"repository_owner": "jane", "repository": "jane/tool"}, [], []],
	"another branch": ["main", branch("x"), [], ["ref"]],
	"another branch, any is good": ["owner", branch("x"), [], []],
	"branch in another case": ["main", branch("Main"), [], ["ref"]],
	"tag named main": ["main", tag("main"), [], ["ref"]],
	"branch named v1.0": ["main", branch("v1.0"), [], ["ref"]],
	"tag v1.0": ["main", tag("v1.0"), [], []],
	"tag v": ["main", tag("v"), [], []],
	"tag v/1": ["main", tag("v/1"), [], ["ref"]],
	"ref of a tag beside branch": ["any-ref", {"ref": "refs/tags/main"}, [], ["ref"]],
	"ref of a branch beside tag": ["any-ref", {"ref_type": "tag"}, [], ["ref"]],
	"ref without its prefix": ["main", {"ref": "main"}, [], ["ref"]],
	"ref with the prefix twice": ["main", {"ref": "refs/heads/refs/heads/main"}, [], ["ref"]],
	"ref that only ends alike": ["main", {"ref": "refs/heads/evil/main"}, [], ["ref"]],
	"ref prefix in another case": ["main", {"ref": "Refs/heads/main"}, [], ["ref"]],
	"ref empty": ["any-ref", {"ref": ""}, [], ["ref"]],
	"ref of no name": ["any-ref", branch(""), [], ["ref"]],
	"ref missing": ["any-ref", {}, ["ref"], ["ref"]],
	"ref is a number": ["any-ref", {"ref": 1}, [], ["ref"]],
	"ref is null": ["any-ref", {"ref": null}, [], ["ref"]],
	"ref of a pull request": ["any-ref", {"ref": "refs/pull/7/merge"}, [], ["ref"]],
	"ref_type missing": ["any-ref", {}, ["ref_type"], ["ref"]],
	"ref_type empty": ["any-ref", {"ref_type": ""}, [], ["ref"]],
	"ref_type of no kind": ["any-ref", {"ref_type": "Branch"}, [], ["ref"]],
	"ref_type is a list": ["any-ref", {"ref_type": ["branch"]}, [], ["ref"]],
	"release/1": ["release", branch("release/1"), [], []],
	"release/1/2": ["release", branch("release/1/2"), [], ["ref"]],
	"release/": ["release", branch("release/"), [], ["ref"]],
	"a/b/c below": ["below", branch("a/b/c"), [], []],
	"a itself": ["below", branch("a"), [], ["ref"]],
	"a//b": ["below", branch("a//b"), [], ["ref"]],
	"tag v1.2": ["stars", tag("v1.2"), [], []],
	"tag v1": ["stars", tag("v1"), [], ["ref"]],
	"protected is 'false'": ["main", {"ref_protected": "false"}, [], ["protected_ref"]],
	"protected is false": ["main", {"ref_protected": false}, [], ["protected_ref"]],
	"protected is true, no text": ["main", {"ref_protected": true}, [], ["protected_ref"]],
	"protected missing": ["main", {}, ["ref_protected"], ["protected_ref"]],
	"protected missing, not demanded": ["unprotected", {}, ["ref_protected"], []],
	"pull request": ["any-ref", pull_request, [], ["fork", "merge_request", "pipeline_source", "ref"]],
	"pull request of a fork": ["any-ref", pull_request, ["ref_protected"], ["fork", "merge_request", "pipeline_source", "ref"]],
	"pull request of a fork, refs given": [
		"main",
		pull_request, [],
		["fork", "merge_request", "pipeline_source", "protected_ref", "ref"],
	],
	"pull request that is closed": ["main", closed, [], ["fork", "merge_request", "pipeline_source"]],
	"pull request without its branches": ["main", {"event_name": "pull_request"}, [], ["fork", "merge_request", "pipeline_source"]],
	"pull_request_target": [
		"main",
		object.union(closed, {"event_name": "pull_request_target"}), [],
		["fork", "merge_request", "pipeline_source"],
	],
	"pull_request_target without its branches": [
		"main",
		{"event_name": "pull_request_target"}, [],
		["fork", "merge_request", "pipeline_source"],
	],
	"pull_request_review": [
		"main",
		object.union(closed, {"event_name": "pull_request_review"}), [],
		["fork", "merge_request", "pipeline_source"],
	],
	"workflow_run": ["main", {"event_name": "workflow_run"}, [], ["fork", "merge_request", "pipeline_source"]],
	"a push that names the branch of a pull request": ["main", {"head_ref": "feature"}, [], ["fork"]],
	"head_ref null": ["main", {"head_ref": null}, [], ["fork"]],
	"head_ref is a list": ["main", {"head_ref": []}, [], ["fork"]],
	"head_ref false": ["main", {"head_ref": false}, [], ["fork"]],
	"head_ref missing": ["main", {}, ["head_ref"], []],
	"workflow_dispatch": ["main", {"event_name": "workflow_dispatch"}, [], []],
	"schedule": ["main", {"event_name": "schedule"}, [], []],
	"event not listed": ["main", {"event_name": "release"}, [], ["pipeline_source"]],
	"event listed": ["events", {"event_name": "release"}, [], []],
	"event in another case": ["main", {"event_name": "Push"}, [], ["pipeline_source"]],
	"push, where it is not listed": ["events", {}, [], ["pipeline_source"]],
	"event missing": ["main", {}, ["event_name"], ["fork", "merge_request", "pipeline_source"]],
	"event is a list": ["main", {"event_name": ["push"]}, [], ["fork", "merge_request", "pipeline_source"]],
	"event empty": ["main", {"event_name": ""}, [], ["pipeline_source"]],
	"ids": ["ids", {}, [], []],
	"repository_id is a number": ["ids", {"repository_id": 20}, [], ["project_id"]],
	"repository registered anew": ["ids", {"repository_id": "99"}, [], ["project_id"]],
	"repository renamed": ["ids", {"repository": "acme/new"}, [], ["project"]],
	"repository_owner_id missing": ["ids", {}, ["repository_owner_id"], ["namespace_id"]],
	"owner's id, any repository": ["owner-id", {"repository": "acme/x", "repository_id": "5"}, [], []],
	"owner registered anew": ["owner-id", {"repository_owner_id": "73"}, [], ["namespace_id"]],
	"sub of another repository": ["main", {"sub": "repo:evil/evil:ref:refs/heads/x"}, [], []],
	"sub with the ids": ["main", {"sub": "repo:acme@72/app@20:ref:refs/heads/main"}, [], []],
	"sub of this one, of another owner": [
		"main",
		object.union(owned_by("evil"), {"sub": "repo:acme@72/app@20:ref:refs/heads/main"}), [],
		["group", "project"],
	],
	"environment": ["environment", {"environment": "staging"}, [], []],
	"environment missing": ["environment", {}, ["environment"], ["claim:environment"]],
	"environment is a list": ["environment", {"environment": ["production"]}, [], ["claim:environment"]],
	"environment in another case": ["environment", {"environment": "Production"}, [], ["claim:environment"]],
	"reusable workflow of others, not asked": [
		"main",
		{"job_workflow_ref": "evil/shared/.github/workflows/x.yml@refs/heads/main"}, [],
		[],
	],
	"reusable workflow": [
		"reusable",
		{"job_workflow_ref": "acme/shared/.github/workflows/deploy.yml@refs/heads/main"}, [],
		[],
	],
	"reusable workflow at another ref": [
		"reusable",
		{"job_workflow_ref": "acme/shared/.github/workflows/deploy.yml@refs/heads/x"}, [],
		["claim:job_workflow_ref"],
	],
}

cases[note] := {"rule": row[0], "input": tried, "unmet": row[3]} if {
	some note, row in table
	claims := object.union_n([object.remove(token, object.keys(row[1])), row[1]])
	tried := {
		"claims": object.remove(claims, row[2]),
		"time": 1767225600,
		"identity": {"email": "deploy@workload.example.com", "project": ""},
		"provider": "GITHUB",
	}
}
