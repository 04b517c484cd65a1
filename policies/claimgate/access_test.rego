package claimgate.access_test

import data.claimgate.access

# The service's tests run every case in WASM too.
cases["a role of a rule that the token met counts in the workspace"] := {
	"input": asked({}),
	"allow": true,
	"reason": "allowed",
}

cases["and in each of its projects"] := {
	"input": asked({"resource": shop}),
	"allow": true,
	"reason": "allowed",
}

cases["one of a rule that it did not meet does not"] := {
	"input": asked({"subject": {"rules": ["review"]}}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["nor one that the rule gives since, and the token does not have"] := {
	"input": asked({"subject": {"roles": ["roles/viewer"]}}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["a role without the permission gives nothing"] := {
	"input": asked({"grants": [object.union(of_rule, {"permissions": []})]}),
	"allow": false,
	"reason": "role_missing",
}

cases["nor does one with another permission"] := {
	"input": asked({"grants": [object.union(of_rule, {"permissions": ["db.drop"]})]}),
	"allow": false,
	"reason": "role_missing",
}

cases["nor one whose permission is the beginning of what is asked for"] := {
	"input": asked({"grants": [object.union(of_rule, {"permissions": ["db"]})]}),
	"allow": false,
	"reason": "role_missing",
}

cases["a plain membership counts for a token"] := {
	"input": asked({"resource": shop, "grants": [member]}),
	"allow": true,
	"reason": "allowed",
}

cases["and for a workload"] := {
	"input": asked({"subject": workload, "resource": shop, "grants": [member]}),
	"allow": true,
	"reason": "allowed",
}

cases["a workload has no roles of rules"] := {
	"input": asked({"subject": workload}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["nor memberships of rules"] := {
	"input": asked({"subject": workload, "resource": shop, "grants": [member_of_rule]}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["a membership of a rule counts for a token that met it"] := {
	"input": asked({"resource": shop, "grants": [member_of_rule]}),
	"allow": true,
	"reason": "allowed",
}

cases["whatever roles it has"] := {
	"input": asked({"subject": {"roles": []}, "resource": shop, "grants": [member_of_rule]}),
	"allow": true,
	"reason": "allowed",
}

cases["not for one that met another"] := {
	"input": asked({"subject": {"rules": ["review"]}, "resource": shop, "grants": [member_of_rule]}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["a membership in a project does not count in another"] := {
	"input": asked({"resource": {"type": "project", "id": "shop-2"}, "grants": [member]}),
	"allow": false,
	"reason": "role_missing",
}

cases["nor in the workspace"] := {
	"input": asked({"grants": [member]}),
	"allow": false,
	"reason": "role_missing",
}

cases["a rule of a project's identity gives its role there"] := {
	"input": asked({"subject": {"project": "shop"}, "resource": shop, "grants": [in_shop]}),
	"allow": true,
	"reason": "allowed",
}

cases["not in another project"] := {
	"input": asked({"subject": {"project": "shop"}, "resource": other, "grants": [in_shop]}),
	"allow": false,
	"reason": "role_missing",
}

cases["not in the workspace"] := {
	"input": asked({"subject": {"project": "shop"}, "grants": [in_shop]}),
	"allow": false,
	"reason": "role_missing",
}

cases["and what says that it does is not believed"] := {
	"input": asked({"subject": {"project": "shop"}}),
	"allow": false,
	"reason": "rule_not_met",
}

cases["it may be a member of another project"] := {
	"input": asked({"subject": {"project": "shop"}, "resource": other, "grants": [object.union(member, {"on": "projects/other"})]}),
	"allow": true,
	"reason": "allowed",
}

cases["one of many grants is enough"] := {
	"input": asked({"resource": shop, "grants": [object.union(of_rule, {"permissions": []}), member_of_rule, member]}),
	"allow": true,
	"reason": "allowed",
}

cases["nobody holds what no role gives"] := {
	"input": asked({"permission": "db.fly", "givers": []}),
	"allow": false,
	"reason": "permission_unknown",
}

cases["nor anything without grants"] := {
	"input": asked({"grants": []}),
	"allow": false,
	"reason": "role_missing",
}

of_rule := {
	"role": "roles/agent",
	"permissions": ["db.create"],
	"from": "rule",
	"rule": "deploy",
	"on": "workspaces/default",
}

in_shop := object.union(of_rule, {"on": "projects/shop"})

member := {
	"role": "roles/agent",
	"permissions": ["db.create"],
	"from": "member",
	"rule": "",
	"on": "projects/shop",
}

member_of_rule := object.union(member, {"rule": "deploy"})

workload := {"type": "workload", "rules": [], "roles": []}

shop := {"type": "project", "id": "shop"}

other := {"type": "project", "id": "other"}

asked(changes) := object.union(
	{
		"time": 1767225600,
		"subject": {
			"type": "token",
			"email": "deploy@workload.example.com",
			"project": "",
			"rules": ["deploy"],
			"roles": ["roles/agent"],
		},
		"permission": "db.create",
		"resource": {"type": "workspace", "id": "default"},
		"grants": [of_rule],
		"givers": ["roles/workspaceAdmin", "roles/agent"],
	},
	changes,
)

verdicts[name] := said if {
	some name, tried in cases
	said := access.verdict with input as tried.input
}

test_every_case_is_decided_as_it_says[name] if {
	some name, tried in cases
	verdicts[name].allow == tried.allow
	verdicts[name].reason == tried.reason
}

test_what_gives_it_is_told if {
	said := access.verdict with input as asked({"resource": shop, "grants": [member_of_rule, of_rule]})
	said == {
		"allow": true,
		"reason": "allowed",
		"grants": [
			{"role": "roles/agent", "from": "member", "rule": "deploy", "on": "projects/shop"},
			{"role": "roles/agent", "from": "rule", "rule": "deploy", "on": "workspaces/default"},
		],
		"missing": {"on": "projects/shop", "roles": [], "grants": []},
	}
}

test_what_would_give_it_is_told if {
	said := access.verdict with input as asked({
		"subject": {"rules": ["review"]},
		"resource": shop,
		"grants": [member_of_rule, object.union(of_rule, {"permissions": []})],
	})
	said == {
		"allow": false,
		"reason": "rule_not_met",
		"grants": [],
		"missing": {
			"on": "projects/shop",
			"roles": ["roles/agent", "roles/workspaceAdmin"],
			"grants": [{"role": "roles/agent", "from": "member", "rule": "deploy", "on": "projects/shop"}],
		},
	}
}

test_what_is_not_clear_has_no_verdict_that_allows[name] if {
	some name, changed in {
		"another kind of resource": asked({"resource": {"type": "server", "id": "default"}}),
		"another workspace": asked({"resource": {"type": "workspace", "id": "other"}}),
		"a resource without an id": object.union(object.remove(asked({}), ["resource"]), {"resource": {"type": "project"}}),
		"no subject": object.remove(asked({}), ["subject"]),
		"no permission": object.remove(asked({}), ["permission"]),
		"no grants": object.remove(asked({}), ["grants"]),
		"rules that are no list": asked({"subject": {"rules": "deploy"}}),
		"roles that are no list": asked({"subject": {"roles": "roles/agent"}}),
		"permissions that are no list": asked({"grants": [object.union(of_rule, {"permissions": "db.create"})]}),
		"a grant from elsewhere": asked({"grants": [object.union(of_rule, {"from": "heaven"})]}),
		"a grant on nothing": asked({"grants": [object.remove(of_rule, ["on"])]}),
		"a grant in another case": asked({"grants": [object.union(of_rule, {"on": "Workspaces/default"})]}),
		"nothing": {},
	}
	not allows(changed)
}

allows(asked_with) if {
	said := access.verdict with input as asked_with
	said.allow
}
