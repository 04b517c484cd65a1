# METADATA
# title: claimgate's access decisions
# description: |
#   The verdict on whether a subject may do something to a resource, by the roles that it was given. A policy of its
#   own, the same for all. Its input says which roles there are in reach, from where, and which of them have the
#   permission; which of these count for this subject is decided here.
package claimgate.access

# METADATA
# title: Access verdict
# description: Whether the permission is held, by which grants, and what would give it where it is not.
# entrypoint: true
verdict := {
	"allow": allow,
	"reason": reason,
	"grants": giving,
	"missing": missing,
}

# METADATA
# title: Allowed
# description: Whether any grant gives the permission.
default allow := false

allow if count(giving) > 0

# METADATA
# title: Reason
# description: |
#   `rule_not_met`: a token that met another rule would have the permission. `role_missing`: the subject has no role
#   that gives it here. `permission_unknown`: no role gives it.
default reason := "permission_unknown"

reason := "allowed" if {
	allow
} else := "rule_not_met" if {
	count(unmet) > 0
} else := "role_missing" if {
	count(givers) > 0
}

# METADATA
# title: What gives the permission
# description: The grants that count for this subject, reach the resource and have the permission, sorted.
giving := sort({shown(grant) |
	some grant in input.grants
	gives(grant)
	counts(grant)
})

# METADATA
# title: What would give it
# description: |
#   Nothing where it is held. Else the roles that would give it, on what, and the grants whose rule this subject's token
#   did not meet.
missing := {
	"on": resource,
	"roles": [role | some role in givers; not allow],
	"grants": [grant | some grant in unmet; not allow],
}

# METADATA
# title: What a grant covers
# description: A role in the workspace counts in all of it, one in a project only there.
covers("workspaces/default")

covers(on) if on == resource

# METADATA
# title: What counts for this subject
# description: |
#   A membership without a rule always counts. One with a rule, for a token that met it. What a rule gives, where its
#   identity is at home, for a token that met it and has the role: it may have been issued before the rule gave that.
counts(grant) if {
	grant.from == "member"
	grant.rule == ""
}

counts(grant) if {
	grant.from == "member"
	grant.rule in input.subject.rules
}

counts(grant) if {
	grant.from == "rule"
	grant.on == home
	grant.rule in input.subject.rules
	grant.role in input.subject.roles
}

home := "workspaces/default" if input.subject.project == ""

home := concat("", ["projects/", input.subject.project]) if input.subject.project != ""

gives(grant) if {
	input.permission in grant.permissions
	covers(grant.on)
}

unmet := sort({shown(grant) |
	some grant in input.grants
	gives(grant)
	grant.rule != ""
	not counts(grant)
})

givers := sort(input.givers)

# Any other resource has no name, and so there is no verdict on it.
resource := "workspaces/default" if input.resource == {"type": "workspace", "id": "default"}

resource := concat("", ["projects/", input.resource.id]) if input.resource.type == "project"

shown(grant) := {"role": grant.role, "from": grant.from, "rule": grant.rule, "on": grant.on}
