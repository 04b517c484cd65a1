package claimgate_test

import data.claimgate

rules := [
	{
		"id": "first",
		"title": "First",
		"claims": {},
		"ids": {"projectIds": [], "namespaceIds": []},
		"roles": ["b", "a"],
	},
	{
		"id": "second",
		"title": "Second",
		"claims": {"environment": ["production"]},
		"ids": {"projectIds": ["1"], "namespaceIds": []},
		"roles": ["c", "a"],
	},
]

always := {"group", "project", "ref", "protected_ref", "merge_request", "fork", "pipeline_source"}

all_of_second := always | {"claim:environment", "project_id"}

verdict(met) := said if {
	said := claimgate.verdict with claimgate.rules as rules
		with claimgate.provider as {"some": {"met": met, "looks_at": {}}}
		with input as {}
}

test_one_met_rule_allows if {
	said := verdict({0: always})
	said.allow
	said.roles == ["a", "b"]
	[rule.met | some rule in said.rules] == [true, false]
}

test_roles_are_the_union_sorted if verdict({0: always, 1: all_of_second}).roles == ["a", "b", "c"]

test_each_condition_is_needed[code] if {
	some code in all_of_second
	said := verdict({1: all_of_second - {code}})
	not said.allow
	said.roles == []
	not said.rules[1].conditions[code].met
}

test_conditions_of_different_rules_do_not_add_up if {
	not verdict({0: {"group"}, 1: all_of_second - {"group"}}).allow
}

test_what_is_met_beside_counts_for_nothing if {
	said := verdict({0: {"anything", "claim:environment"}})
	not said.allow
	object.keys(said.rules[0].conditions) == always
}

test_a_condition_that_nobody_explains_is_still_told if {
	verdict({}).rules[0].conditions.group == {
		"claim": "",
		"expected": "a token of the identity's provider",
		"actual": null,
		"met": false,
	}
}
