# METADATA
# title: claimgate's guardrails
# description: |
#   The verdict on a job's token by the guardrails of the organisation (`package claimgate.guardrails`), which are a
#   policy of their own beside every identity's. Their `required` is nothing but a literal, so it is never undefined.
package claimgate.guardrails_verdict

import data.claimgate.guardrails

# METADATA
# title: Guardrails' verdict
# description: Whether every guardrail is met, and each of them with its author's message.
# entrypoint: true
verdict := {
	"allow": allow,
	"guardrails": guardrail_verdicts,
}

# METADATA
# title: Allowed
# description: Whether there are guardrails and all are met.
default allow := false

allow if {
	count(guardrail_verdicts) > 0
	every guardrail in guardrail_verdicts {
		guardrail.met
	}
}

# METADATA
# title: Verdict on each guardrail
# description: Each code that is required, and whether it is met.
guardrail_verdicts := [{"code": code, "message": message, "met": code in guardrails.met} |
	some code, message in guardrails.required
]
