package claimgate.refs

# METADATA
# title: A segment of a pattern with several stars
# description: |
#   A policy has this module only if its rules need it, as one regular expression doubles the size of the WASM. Without
#   it such a pattern covers nothing. RE2 takes time in proportion to the segment. Git forbids backslashes in refs, and
#   one could end the quoting; two stars side by side are no pattern.
segment_covered(wanted, segment) if {
	texts := split(wanted, "*")
	count(texts) > 2
	not contains(wanted, `\`)
	not contains(wanted, "**")
	startswith(segment, texts[0])
	endswith(segment, texts[count(texts) - 1])
	quoted := concat(`\E[^/]*\Q`, texts)
	regex.match(concat("", [`\A\Q`, quoted, `\E\z`]), segment)
}
