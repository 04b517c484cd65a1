# METADATA
# title: Ref patterns
# description: |
#   How a rule names branches and tags: `*` is any number of characters without a slash, as often as wanted; a pattern
#   that ends with a slash and two stars covers one or more further segments; every other character is itself.
package claimgate.refs

import data.claimgate.paths

# METADATA
# title: A ref that a pattern covers
# description: Whether a pattern covers the name of a branch or tag; a name with an empty segment is never covered.
covers(pattern, name) if {
	not endswith(pattern, "/**")
	paths.segments_filled(name)
	wanted := split(pattern, "/")
	segments := split(name, "/")
	count(segments) == count(wanted)
	segments_covered(wanted, segments)
}

covers(pattern, name) if {
	endswith(pattern, "/**")
	paths.segments_filled(name)
	wanted := split(substring(pattern, 0, count(pattern) - 3), "/")
	segments := split(name, "/")
	count(segments) > count(wanted)
	segments_covered(wanted, segments)
}

segments_covered(wanted, segments) if {
	every i, part in wanted {
		segment_covered(part, segments[i])
	}
}

# A module of its own has the segments with more stars.
segment_covered(wanted, segment) if {
	not contains(wanted, "*")
	wanted == segment
}

segment_covered(wanted, segment) if {
	[start, end] := split(wanted, "*")
	startswith(segment, start)
	endswith(segment, end)
	count(segment) >= count(start) + count(end)
}
