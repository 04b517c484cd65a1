package claimgate.provider.gitlab_test

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
	codes.environment - codes.allowed == {"claim:environment", "claim:deployment_tier"}
}

test_roles_are_those_of_met_rules if {
	verdict := claimgate.verdict with claimgate.rules as rules with input as cases.allowed.input
	verdict.roles == ["roles/auditor", "roles/gitopsServiceAgent"]
	verdicts["namespace of another group"].verdict.roles == []
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
	some note, odd in {"none": {}, "null": null, "claims are a list": {"claims": [], "provider": "GITLAB"}}
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

test_expected_in_words if {
	looked := verdicts["another branch"].conditions
	looked.group.expected == "'acme' or a group below it"
	looked.project.expected == "'acme/app'"
	looked.ref == {"claim": "ref_path", "expected": "branch 'main' or tag 'v*'", "actual": "refs/heads/x", "met": false}
	looked.protected_ref.expected == "'true'"
	looked.pipeline_source.expected == "one of 'push', 'web', 'schedule', 'api'"
	verdicts["another branch, any is good"].conditions.ref.expected == "any branch or tag"
	verdicts["another branch, any is good"].conditions.project.expected == "any project of the group"
	contains(verdicts["no job_project_id, merge request"].conditions.fork.expected, "18.4")
	verdicts["fork inside the group"].conditions.fork.expected == "project_id '31'"
	verdicts["project ids that are no numbers"].conditions.fork.expected == "what project_id says"
	verdicts["job_project_id, no project_id"].conditions.fork.claim == "project_id"
	verdicts["job_project_id null"].conditions.fork.actual == "null"
	source := verdicts["merge request, refs given"].conditions.pipeline_source
	source.met
	endswith(source.expected, ", or 'merge_request_event', which merge_request judges")
	verdicts["ref without ref_path, another"].conditions.ref.claim == "ref"
	verdicts["ref_type missing"].conditions.ref == {
		"claim": "ref_type",
		"expected": "'branch' or 'tag'",
		"actual": null,
		"met": false,
	}
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
		"pipelineSources": ["push", "web", "schedule", "api"],
		"claims": {},
		"ids": {"projectIds": [], "namespaceIds": []},
		"roles": [],
	},
	changes,
)

any_ref := {"refs": [], "protectedRefsOnly": false, "mergeRequests": "SAME_PROJECT"}

with_children := {"pipelineSources": ["push", "parent_pipeline"]}

rules := [
	rule("main", {"roles": ["roles/gitopsServiceAgent"]}),
	rule("any-ref", object.union(any_ref, {"roles": ["roles/gitopsServiceAgent", "roles/auditor"]})),
	rule("group", object.union(any_ref, {"project": ""})),
	rule("group-main", {"project": ""}),
	rule("deep", {"project": "sub/app"}),
	rule("subgroup", object.union(any_ref, {"group": "acme/sub", "project": ""})),
	rule("user", {"group": "jane", "project": "tool"}),
	rule("unprotected", {"protectedRefsOnly": false}),
	rule("release", {"refs": [{"type": "BRANCH", "pattern": "release/*"}]}),
	rule("below", {"refs": [{"type": "BRANCH", "pattern": "a/**"}]}),
	rule("dotted", {"refs": [{"type": "TAG", "pattern": "v*.*"}]}),
	rule("children", with_children),
	rule("children-any-ref", object.union(any_ref, with_children)),
	rule("group-children", object.union(any_ref, object.union(with_children, {"project": ""}))),
	rule("ids", {"ids": {"projectIds": ["19", "20"], "namespaceIds": ["72"]}}),
	rule("environment", {"claims": {"environment": ["production", "staging"], "deployment_tier": ["production"]}}),
]

token := {
	"namespace_path": "acme",
	"namespace_id": "72",
	"project_path": "acme/app",
	"project_id": "20",
	"job_project_id": "20",
	"ref": "main",
	"ref_type": "branch",
	"ref_path": "refs/heads/main",
	"ref_protected": "true",
	"pipeline_source": "push",
	"environment": "production",
	"deployment_tier": "production",
}

branch(name) := {"ref": name, "ref_path": concat("", ["refs/heads/", name])}

tag(name) := {"ref_type": "tag", "ref": name, "ref_path": concat("", ["refs/tags/", name])}

merge_request := {"pipeline_source": "merge_request_event", "ref_protected": "false"}

fork_of(namespace) := {
	"namespace_path": namespace,
	"project_path": concat("", [namespace, "/app"]),
	"project_id": "31",
	"job_project_id": "20",
}

# Rule, claims that differ from the token's, claims that are not in the token, conditions that are not met.
table := {
	"allowed": ["main", {}, [], []],
	"paths in another case": ["main", {"namespace_path": "ACME", "project_path": "ACME/App"}, [], []],
	"namespace acme-evil": ["main", {"namespace_path": "acme-evil"}, [], ["group"]],
	"namespace xacme": ["main", {"namespace_path": "xacme"}, [], ["group"]],
	"namespace acme/": ["main", {"namespace_path": "acme/"}, [], ["group"]],
	"namespace acme//x": ["group", {"namespace_path": "acme//x"}, [], ["group"]],
	"namespace empty": ["main", {"namespace_path": ""}, [], ["group"]],
	"namespace missing": ["main", {}, ["namespace_path"], ["group"]],
	"namespace is a list": ["main", {"namespace_path": ["acme"]}, [], ["group"]],
	"namespace is null": ["main", {"namespace_path": null}, [], ["group"]],
	"namespace with a Kelvin sign": ["main", {"namespace_path": "ac\u212ae"}, [], ["group"]],
	"namespace of another group": ["main", {"namespace_path": "other", "project_path": "other/app"}, [], ["group", "project"]],
	"project with a longer name": ["main", {"project_path": "acme/app2"}, [], ["project"]],
	"project of a subgroup": ["main", {"namespace_path": "acme/sub", "project_path": "acme/sub/app"}, [], ["project"]],
	"project missing": ["main", {}, ["project_path"], ["project"]],
	"project is an object": ["main", {"project_path": {}}, [], ["project"]],
	"any project": ["group", {"project_path": "acme/anything"}, [], []],
	"any project, deep": ["group", {"namespace_path": "acme/sub/deep", "project_path": "acme/sub/deep/x"}, [], []],
	"project below": ["deep", {"namespace_path": "acme/sub", "project_path": "acme/sub/app"}, [], []],
	"project not below": ["deep", {}, [], ["project"]],
	"subgroup": ["subgroup", {"namespace_path": "acme/sub"}, [], []],
	"subgroup of the subgroup": ["subgroup", {"namespace_path": "acme/sub/x"}, [], []],
	"group above the subgroup": ["subgroup", {}, [], ["group"]],
	"user": ["user", {"namespace_path": "jane", "project_path": "jane/tool"}, [], []],
	"another branch": ["main", branch("x"), [], ["ref"]],
	"another branch, any is good": ["group", branch("x"), [], []],
	"branch in another case": ["main", branch("Main"), [], ["ref"]],
	"tag named main": ["main", tag("main"), [], ["ref"]],
	"branch named v1.0": ["main", branch("v1.0"), [], ["ref"]],
	"tag v1.0": ["main", tag("v1.0"), [], []],
	"tag v": ["main", tag("v"), [], []],
	"tag v/1": ["main", tag("v/1"), [], ["ref"]],
	"ref_path of a tag": ["any-ref", {"ref_path": "refs/tags/main"}, [], ["ref"]],
	"ref_path of a merge request": ["any-ref", {"ref_path": "refs/merge-requests/1/head"}, [], ["ref"]],
	"ref_path of another branch": ["main", {"ref_path": "refs/heads/x"}, [], ["ref"]],
	"ref_path null": ["any-ref", {"ref_path": null}, [], ["ref"]],
	"ref_path false": ["any-ref", {"ref_path": false}, [], ["ref"]],
	"ref_path empty": ["any-ref", {"ref_path": ""}, [], ["ref"]],
	"ref without ref_path": ["main", {}, ["ref_path"], []],
	"ref without ref_path, another": ["main", {"ref": "x"}, ["ref_path"], ["ref"]],
	"ref empty": ["any-ref", branch(""), [], ["ref"]],
	"ref missing": ["any-ref", {}, ["ref", "ref_path"], ["ref"]],
	"ref is a number": ["any-ref", {"ref": 1}, ["ref_path"], ["ref"]],
	"ref_type missing": ["any-ref", {}, ["ref_type"], ["ref"]],
	"ref_type of no kind": ["any-ref", {"ref_type": "Branch"}, [], ["ref"]],
	"ref_type is a list": ["any-ref", {"ref_type": ["branch"]}, [], ["ref"]],
	"release/1": ["release", branch("release/1"), [], []],
	"release/1/2": ["release", branch("release/1/2"), [], ["ref"]],
	"release": ["release", branch("release"), [], ["ref"]],
	"release/": ["release", branch("release/"), [], ["ref"]],
	"a/b below": ["below", branch("a/b"), [], []],
	"a/b/c below": ["below", branch("a/b/c"), [], []],
	"a itself": ["below", branch("a"), [], ["ref"]],
	"a/ alone": ["below", branch("a/"), [], ["ref"]],
	"a//b": ["below", branch("a//b"), [], ["ref"]],
	"tag v1.2": ["dotted", tag("v1.2"), [], []],
	"tag v1": ["dotted", tag("v1"), [], ["ref"]],
	"protected is 'false'": ["main", {"ref_protected": "false"}, [], ["protected_ref"]],
	"protected is false": ["main", {"ref_protected": false}, [], ["protected_ref"]],
	"protected is true, no text": ["main", {"ref_protected": true}, [], ["protected_ref"]],
	"protected missing": ["main", {}, ["ref_protected"], ["protected_ref"]],
	"protected missing, not demanded": ["unprotected", {}, ["ref_protected"], []],
	"merge request, refs given": ["unprotected", merge_request, [], ["merge_request"]],
	"merge request, any ref": ["any-ref", merge_request, [], []],
	"fork outside the group": ["group", object.union(merge_request, fork_of("evil")), [], ["fork", "group"]],
	"fork inside the group": ["group", object.union(merge_request, fork_of("acme/forks")), [], ["fork"]],
	"fork's child pipeline": [
		"group",
		object.union({"pipeline_source": "parent_pipeline"}, fork_of("acme/forks")), [],
		["fork", "pipeline_source"],
	],
	"fork's child pipeline, listed": [
		"group-children",
		object.union({"pipeline_source": "parent_pipeline"}, fork_of("acme/forks")), [],
		["fork"],
	],
	"no job_project_id, push": ["main", {}, ["job_project_id"], []],
	"no job_project_id, web": ["main", {"pipeline_source": "web"}, ["job_project_id"], []],
	"no job_project_id, schedule": ["main", {"pipeline_source": "schedule"}, ["job_project_id"], []],
	"no job_project_id, merge request": ["any-ref", merge_request, ["job_project_id"], ["fork"]],
	"no job_project_id, child pipeline": [
		"children",
		{"pipeline_source": "parent_pipeline"}, ["job_project_id"],
		["fork"],
	],
	"job_project_id null": ["main", {"job_project_id": null}, [], ["fork"]],
	"job_project_id empty, as project_id": ["main", {"job_project_id": "", "project_id": ""}, [], ["fork"]],
	"job_project_id is a number": ["main", {"job_project_id": 20}, [], ["fork"]],
	"both project ids are numbers": ["main", {"job_project_id": 20, "project_id": 20}, [], ["fork"]],
	"project ids that are no numbers": ["main", {"job_project_id": "x", "project_id": "x"}, [], []],
	"job_project_id, no project_id": ["main", {}, ["project_id"], ["fork"]],
	"source not listed": ["main", {"pipeline_source": "trigger"}, [], ["pipeline_source"]],
	"source missing": ["main", {}, ["pipeline_source"], ["merge_request", "pipeline_source"]],
	"source is a list": ["main", {"pipeline_source": ["push"]}, [], ["merge_request", "pipeline_source"]],
	"child pipeline not listed": ["main", {"pipeline_source": "parent_pipeline"}, [], ["pipeline_source"]],
	"child pipeline": ["children", {"pipeline_source": "parent_pipeline"}, [], []],
	"child pipeline, unprotected": [
		"children",
		{"pipeline_source": "parent_pipeline", "ref_protected": "false"}, [],
		["merge_request", "protected_ref"],
	],
	"child pipeline, unprotected, merge requests good": [
		"children-any-ref",
		{"pipeline_source": "parent_pipeline", "ref_protected": "false"}, [],
		[],
	],
	"project_id is a number": ["ids", {"project_id": 20}, ["job_project_id"], ["project_id"]],
	"project registered anew": ["ids", {"project_id": "99", "job_project_id": "99"}, [], ["project_id"]],
	"project renamed": ["ids", {"project_path": "acme/new"}, [], ["project"]],
	"ids": ["ids", {}, [], []],
	"another namespace_id": ["ids", {"namespace_id": "7"}, [], ["namespace_id"]],
	"namespace_id missing": ["ids", {}, ["namespace_id"], ["namespace_id"]],
	"environment": ["environment", {"environment": "staging"}, [], []],
	"environment missing": ["environment", {}, ["environment"], ["claim:environment"]],
	"environment null": ["environment", {"environment": null}, [], ["claim:environment"]],
	"environment is a list": ["environment", {"environment": ["production"]}, [], ["claim:environment"]],
	"environment in another case": ["environment", {"environment": "Production"}, [], ["claim:environment"]],
}

cases[note] := {"rule": row[0], "input": tried, "unmet": row[3]} if {
	some note, row in table
	claims := object.union_n([object.remove(token, object.keys(row[1])), row[1]])
	tried := {
		"claims": object.remove(claims, row[2]),
		"time": 1767225600,
		"identity": {"email": "deploy@workload.example.com", "project": ""},
		"provider": "GITLAB",
	}
}
