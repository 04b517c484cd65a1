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

test_what_is_there_is_told[note] if {
	some note, value in {
		"text": "production",
		"empty text": "",
		"false": false,
		"a number": 300,
		"a list": ["a", "b"],
		"an object": {"a": "b"},
		"300 characters": letters(300),
		"300 astral characters": replace(letters(300), "a", "\ud83d\ude80"),
	}
	told(value) == value
}

# One that is absent is told as null.
test_a_null_is_there if told(null) == "null"

test_a_long_list_or_object_is_cut if {
	short := [letters(290)]
	told(short) == short
	told([letters(297)]) == ["…"]
	told([x | some x in numbers.range(1, 1300)]) == ["…"]
	told({"a": letters(300)}) == {"…": "…"}
}

test_a_longer_text_is_cut if {
	told(letters(301)) == concat("", [letters(300), "…"])
	told(letters(16000)) == concat("", [letters(300), "…"])
	rockets := replace(letters(301), "a", "\ud83d\ude80")
	told(rockets) == concat("", [substring(rockets, 0, 300), "…"])
}

test_claims_of_no_shape_are_not_told[note] if {
	some note, claims in {"null": null, "a text": letters(301), "a list": [letters(301)]}
	said := claimgate.verdict with claimgate.rules as rules
		with claimgate.provider as {"some": {"met": {}, "looks_at": explained}}
		with input as {"claims": claims}
	said.rules[1].conditions["claim:environment"].actual == null
}

told(value) := said.rules[1].conditions["claim:environment"].actual if {
	said := claimgate.verdict with claimgate.rules as rules
		with claimgate.provider as {"some": {"met": {}, "looks_at": explained}}
		with input as {"claims": {"environment": value}}
}

explained := {1: {"claim:environment": {"claim": "environment", "expected": "'production'"}}}

letters(length) := concat("", [letter | some _ in numbers.range(1, length); letter := "a"])

# What is met is decided on the whole claim, not on what is told of it.
test_a_cut_text_is_compared_whole if {
	said := environment_verdict(letters(400), letters(400))
	said.conditions["claim:environment"].met
	said.conditions["claim:environment"].actual == concat("", [letters(300), "…"])
	every other in [letters(300), letters(399), letters(401), concat("", [letters(300), "…"])] {
		not environment_verdict(letters(400), other).conditions["claim:environment"].met
	}
}

environment_verdict(wanted, claimed) := said.rules[0] if {
	rule := object.union(rules[1], {
		"group": "a", "project": "", "refs": [], "protectedRefsOnly": false, "mergeRequests": "NONE",
		"pipelineSources": ["push"], "claims": {"environment": [wanted]},
	})
	said := claimgate.verdict with claimgate.rules as [rule]
		with input as {"provider": "GITLAB", "claims": {"environment": claimed}}
}

conditioned(met) := said if {
	said := claimgate.verdict with claimgate.rules as rules
		with claimgate.provider as {"some": {"met": {0: always}, "looks_at": {}}}
		with claimgate.conditions as {"required": {"a": "A.", "b": "B."}, "met": met}
		with input as {}
}

test_all_conditions_are_needed if {
	conditioned({"a", "b"}).allow
	every met in [set(), {"a"}, {"b"}, {"a", "c"}] {
		said := conditioned(met)
		not said.allow
		said.roles == []
		said.rules[0].met
	}
}

test_conditions_are_told if conditioned({"b", "c"}).conditions == [
	{"code": "a", "message": "A.", "met": false},
	{"code": "b", "message": "B.", "met": true},
]

test_conditions_alone_allow_nothing if {
	said := claimgate.verdict with claimgate.rules as rules
		with claimgate.provider as {"some": {"met": {}, "looks_at": {}}}
		with claimgate.conditions as {"required": {"a": "A."}, "met": {"a"}}
		with input as {}
	not said.allow
}
