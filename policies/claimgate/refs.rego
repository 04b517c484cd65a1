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

segment_covered(wanted, segment) if {
	not contains(wanted, "*")
	wanted == segment
}

segment_covered(wanted, segment) if {
	texts := split(wanted, "*")
	last := count(texts) - 1
	last > 0
	startswith(segment, texts[0])
	endswith(segment, texts[last])
	between := (count(segment) - count(texts[0])) - count(texts[last])
	between >= 0
	follow_one_another(array.slice(texts, 1, last), substring(segment, count(texts[0]), between))
}

# Taking each text where it first occurs after the one before it finds a way if there is any; a step that does not
# exist is not reached.
follow_one_another(texts, _) if count(texts) == 0

follow_one_another(texts, segment) if {
	count(texts) > 0
	steps := {[i, start]: [[i + 1, (start + at) + count(text)]] |
		some i, text in texts
		some start in numbers.range(0, count(segment))
		at := indexof(substring(segment, start, -1), text)
		at >= 0
	}
	some reached in graph.reachable(steps, [[0, 0]])
	reached[0] == count(texts) - 1
}
