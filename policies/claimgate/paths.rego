# METADATA
# title: Paths
# description: Paths of groups and projects compare without the case of ASCII letters, and by code points otherwise.
package claimgate.paths

# METADATA
# title: The same path
# description: Whether two texts are the same path. Anything but text never is.
same(path, other) if {
	is_string(path)
	path == other
} else if {
	fold(path) == fold(other)
}

# METADATA
# title: A path, or one below it
# description: Whether a text is the path `parent`, or `parent/` and then segments none of which is empty.
within(path, parent) if {
	same_or_below(path, parent)
} else if {
	same_or_below(fold(path), fold(parent))
}

# METADATA
# title: No empty segment
# description: Whether a path has text before, between and after its slashes.
segments_filled(path) if not contains(concat("", ["/", path, "/"]), "//")

same_or_below(path, parent) if {
	is_string(path)
	path == parent
}

same_or_below(path, parent) if {
	prefix := concat("", [parent, "/"])
	startswith(path, prefix)
	segments_filled(substring(path, count(prefix), -1))
}

# `lower` would make k of U+212A and i of U+0130, and so one path of two.
fold(path) := strings.replace_n(small_letters, path)

small_letters := {letter: lower(letter) | some letter in split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "")}
