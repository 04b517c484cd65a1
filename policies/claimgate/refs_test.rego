package claimgate.refs_test

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
	refs.covers(literal, literal)
	not refs.covers(literal, replace(literal, "1", "2"))
	not refs.covers(literal, concat("", [literal, "1"]))
	starred := concat("", [literal, "*"])
	refs.covers(starred, concat("", [literal, "x"]))
	not refs.covers(starred, concat("", ["x", literal]))
}

test_only_text_is_covered[name] if {
	some name in json.unmarshal(`[1, null, ["main"], {}, true]`)
	not refs.covers("main", name)
	not refs.covers("a/**", name)
}

covered := [
	["main", "main"],
	["v*", "v"],
	["v*", "v1.0"],
	["*-stable", "16-stable"],
	["*-stable", "-stable"],
	["release/*", "release/1"],
	["release/*/x", "release/1/x"],
	["*/x", "a/x"],
	["*/x*/**", "a/x/b"],
	["\u00e9*\u00e9", "\u00e9\u00e9"],
	["*\ud83d\ude00", "a\nb\ud83d\ude00"],
	["a/**", "a/b"],
	["a/**", "a/b/c/d"],
	["a*/**", "abc/d"],
	["a*aa", "aaa"],
]

not_covered := [
	["main", "Main"],
	["main", "main2"],
	["main", "xmain"],
	["main", "refs/heads/main"],
	["main", ""],
	["v*", "x"],
	["v*", "v/1"],
	["*", ""],
	["release/*", "release"],
	["release/*", "release/"],
	["release/*", "release/1/2"],
	["release/*", "release//1"],
	["release/*/x", "release//x"],
	["a/**", "a"],
	["a/**", "a/"],
	["a/**", "a//b"],
	["a/**", "a/b/"],
	["a/**", "ab/c"],
	["a/**", "x/a/b"],
	["*/**", "/b"],
	["a*a", "a"],
	["ab*ba", "aba"],
	["\u00e9*\u00e9", "\u00e9"],
]

literals := [
	"a.b1", "a$1", "a(1)", "a+1", "a|1", "a)1", "a]1", "a}1", "a{1", "a^1", "a,1", "a!1", "a#1", "a%1", "a&1", "a=1", "a;1",
	"a'1", "a\"1", "a<1>", "a@1", "a-1", "a_1", "a`1", "$1", "a$b$1", "caf\u00e91", "\ud83d\ude801", "a{{1}}", "${x}1", "\\d1", "\\1",
]
