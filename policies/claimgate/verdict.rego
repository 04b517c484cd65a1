# METADATA
# title: claimgate
# description: |
#   The verdict on a job's token by an identity's rules. What the claims prove is found for each provider in a package
#   of its own below `claimgate.provider`; here it is only compared with what each rule requires.
package claimgate

import data.claimgate.conditions
import data.claimgate.rules
import data.claimgate.words

# METADATA
# title: Verdict
# description: |
#   Whether the token is allowed, which conditions of each rule it meets, and the roles of the rules that are met.
# entrypoint: true
verdict := {
	"allow": allow,
	"rules": rule_verdicts,
	"conditions": condition_verdicts,
	"roles": roles,
}

# METADATA
# title: Allowed
# description: Whether any rule is met, and everything that the conditions require.
default allow := false

allow if {
	count(rules_met) > 0
	every condition in condition_verdicts {
		condition.met
	}
}

# METADATA
# title: Verdict on the conditions
# description: |
#   Each code that the identity's own conditions require, and whether it is met; none where there are no conditions,
#   whose `required` is nothing but a literal: it is never undefined where they are there.
condition_verdicts := [{"code": code, "message": message, "met": code in conditions.met} |
	some code, message in conditions.required
]

# METADATA
# title: Verdict on each rule
# description: In the order of the rules, each condition with the claim it reads, what it expects and what is there.
rule_verdicts := [rule_verdict |
	some i, rule in rules
	rule_verdict := {
		"id": rule.id,
		"title": rule.title,
		"met": i in rules_met,
		"conditions": {code: condition_verdict(i, code) | some code in required[i]},
	}
]

# METADATA
# title: Roles
# description: The roles of the rules that are met, sorted; none unless allowed.
roles := sort({role |
	allow
	some i in rules_met
	some role in rules[i].roles
})

# METADATA
# title: Rules that are met
# description: The places of the rules of which every required condition is met.
rules_met contains i if {
	some i, codes in required
	every code in codes {
		code in met[i]
	}
}

# METADATA
# title: Required conditions
# description: The codes of the conditions that a rule has, by its place.
required[i] := (always | ids) | named if {
	some i, rule in rules
	ids := {code |
		some code, values in {"project_id": rule.ids.projectIds, "namespace_id": rule.ids.namespaceIds}
		count(values) > 0
	}
	named := {concat(":", ["claim", name]) | some name, _ in rule.claims}
}

always := {"group", "project", "ref", "protected_ref", "merge_request", "fork", "pipeline_source"}

# A package of another provider than the token's proves nothing.
met := [codes |
	some i, _ in rules
	codes := {code | some code in data.claimgate.provider[_].met[i]}
]

# Who proves a condition says also what it looks at.
looks_at[i] := looked if {
	some i, _ in rules
	looked := data.claimgate.provider[_].looks_at[i]
}

condition_verdict(i, code) := {
	"claim": looked.claim,
	"expected": looked.expected,
	"actual": actual(looked.claim),
	"met": code in met[i],
} if {
	looked := looked_at(i, code)
}

looked_at(i, code) := looked if {
	looked := looks_at[i][code]
} else := {"claim": name, "expected": words.one_of(values)} if {
	looks_at[i]
	some name, values in rules[i].claims
	code == concat(":", ["claim", name])
} else := {"claim": "", "expected": "a token of the identity's provider"}

default actual(_) := null

actual(claim) := shown(input.claims[claim])

# Every rule tells what is there, and what is long would stand in the record once for each. A null is there.
shown(value) := value if {
	is_string(value)
	count(value) <= 300
} else := "null" if {
	value == null
} else := concat("", [substring(value, 0, 300), "…"]) if {
	is_string(value)
} else := value if {
	count(json.marshal(value)) <= 300
} else := ["…"] if {
	is_array(value)
} else := {"…": "…"}
