package claimgate.guardrails_verdict_test

import data.claimgate.guardrails_verdict

verdict(met) := said if {
	said := guardrails_verdict.verdict with data.claimgate.guardrails as {
		"required": {"a": "A.", "b": "B."},
		"met": met,
	}
}

test_all_are_needed if {
	verdict({"a", "b"}).allow
	every met in [set(), {"a"}, {"b"}, {"a", "c"}] {
		not verdict(met).allow
	}
}

test_each_is_told if verdict({"b"}) == {
	"allow": false,
	"guardrails": [
		{"code": "a", "message": "A.", "met": false},
		{"code": "b", "message": "B.", "met": true},
	],
}

test_none_allow_nothing if {
	not guardrails_verdict.verdict.allow with data.claimgate.guardrails as {"required": {}, "met": set()}
	not guardrails_verdict.verdict.allow with data.claimgate.guardrails as {}
}
