package claimgate.stars_test

import data.claimgate.refs

test_covers[note] if {
	some [pattern, name] in covered
	note := concat(" ", [pattern, name])
	refs.covers(pattern, name)
}

test_does_not_cover[note] if {
	some [pattern, name] in not_covered
	note := concat(" ", [pattern, name])
	not refs.covers(pattern, name)
}

test_every_other_character_is_itself[literal] if {
	some literal in literals
	starred := concat("", ["*", literal, "*"])
	refs.covers(starred, literal)
	refs.covers(starred, concat("", ["x", literal, "y"]))
	not refs.covers(starred, replace(literal, "1", "2"))
	inside := concat("", [literal, "*", literal, "*", literal])
	refs.covers(inside, concat("x", [literal, literal, literal]))
	not refs.covers(inside, concat("x", [literal, replace(literal, "1", "2"), literal]))
	not refs.covers(inside, concat("", ["x", literal, literal, literal]))
	not refs.covers(inside, concat("", [literal, literal, literal, "x"]))
}

test_a_backslash_covers_nothing[pattern] if {
	some pattern in [`*\E.*\Q*`, `a*\E*b`, `*\*`, `\*x*`, `*x*\`, `*\\*`]
	names := ["a.*b", "axb", "x", pattern, replace(pattern, "*", ""), replace(pattern, "*", "x")]
	every name in names {
		not refs.covers(pattern, name)
	}
}

test_only_text_is_covered[name] if {
	some name in json.unmarshal(`[1, null, ["main"], {}, true]`)
	not refs.covers("*a*", name)
}

test_a_text_is_found_wherever_it_stands[note] if {
	some pattern, wanted in {"v*.*.*": 2, "v*.*.*.*": 3, "v*.*.*.*.*.*": 5}
	some dots in numbers.range(0, 7)
	note := concat(" ", [pattern, format_int(dots, 10)])
	name := concat("", ["v", concat(".", [letter | some _ in numbers.range(0, dots); letter := "a"])])
	reached := {true | refs.covers(pattern, name)}
	count(reached) == count({true | dots >= wanted})
}

covered := [
	["v*.*", "v1.2"],
	["v*.*", "v."],
	["v*.*", "v1.2.3"],
	["v*.*.*", "v1.2.3"],
	["*a*a*", "aa"],
	["*ab*ab*", "xababx"],
	["*aab*", "aaab"],
	["a*b*c", "abcbc"],
	["*\u00e9*\u00e9", "x\u00e9y\u00e9"],
	["*\ud83d\ude00*z", "a\ud83d\ude00bz"],
	["feat/*/v*.*", "feat/x/v1.2"],
	["*a*", "a"],
	["*a*", "xax"],
	["v*.*.*-rc*", "v1.2.3-rc"],
	["v*.*.*-*", "v1.2.3-rc-1"],
	["v*.*/**", "v1.2/x/y"],
	["*a*/*b*", "a/b"],
	["a*b*c", "abc"],
	["*a*b*", "x\ny\na\n\nb\n"],
	["v*.*", "v\n.\n"],
	["v*\n*", "v\n"],
	["*.*", "\ud83d\ude00.\ud83d\ude80"],
	["*\u00e9*", "e\u0301\u00e9"],
	["*a*", "\u2028a\ufffd"],
]

not_covered := [
	["v*.*", "v1"],
	["v*.*.*", "v1.2"],
	["*a*a*", "a"],
	["*ab*ab*", "abxba"],
	["*aba*", "abba"],
	["*ab*ab*b", "abab"],
	["v*.*", "v1.\u002f2"],
	["*a*", "A"],
	["*a*", "b"],
	["*a*", ""],
	["*a*", "x/a"],
	["*a*", "a/x"],
	["v*.*.*-rc*", "v1.2.3-r"],
	["v*.*", "xv1.2"],
	["v*.*", "x\nv1.2"],
	["*.*x", "1.2x\n"],
	["*.*x", "1.2x\ny"],
	["v*.*/**", "v1.2"],
	["v*.*/**", "v1.2/"],
	["v*.*/**", "v1/2.3/x"],
	["a*b*c", "acb"],
	["a*b*c", "ac"],
	["a*a*a", "aa"],
	["*\u00e9*", "e\u0301"],
	["*\ud83d\ude00*", "\ud83d\ude01"],
	["*k*", "\u212a"],
	["a**", "a"],
	["a**b", "ab"],
	["*a***", "xay"],
	["**", "x"],
	["a**/b", "a/b"],
]

literals := [
	"a.b1", "a$1", "a(1)", "a+1", "a|1", "a)1", "a]1", "a}1", "a{1", "a^1", "a,1", "a!1", "a#1", "a%1", "a&1", "a=1", "a;1",
	"a'1", "a\"1", "a<1>", "a@1", "a-1", "a_1", "a`1", "$1", "a$b$1", "caf\u00e91", "\ud83d\ude801", "a{{1}}", "${x}1",
	"a[1", "a?1", "[a]1", "[^1]", "a{1}", "a{2,}1", "(?i)a1", "(?:a|1)", "^a1$", "a.+1", "Q1", "E1", ".1", "a~1", "a:1", "a 1", "\n1", "[[:alpha:]]1",
]
