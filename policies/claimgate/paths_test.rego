package claimgate.paths_test

import data.claimgate.paths

test_same[path] if {
	some path in ["acme", "ACME", "aCmE"]
	paths.same(path, "acme")
	paths.same("acme", path)
}

test_not_same[path] if {
	some path in ["acm", "acme ", "acme/", "/acme", "", "\u0430cme", 1, null, ["acme"], true, {}]
	not paths.same(path, "acme")
}

test_only_ascii_letters_fold if {
	not paths.same("\u212aelvin", "kelvin")
	not paths.same("\u212aelvin", "KELVIN")
	not paths.same("\u0130d", "id")
	not paths.same("\u00c9cole", "\u00e9cole")
	paths.same("\u00c9COLE", "\u00c9cole")
	paths.same("AZ_az-[`{@", "az_AZ-[`{@")
	not paths.same("[", "{")
	not paths.same("@", "`")
}

test_every_ascii_letter_folds if {
	upper_case := "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	every letter in split(upper_case, "") {
		paths.same(letter, lower(letter))
	}
}

test_within[path] if {
	some path in ["acme", "Acme", "acme/a", "acme/a/b", "ACME/\u212a"]
	paths.within(path, "acme")
}

test_not_within[path] if {
	some path in ["acme-evil", "xacme", "acme/", "acme//a", "acme/a/", "acme/a//b", "/acme", "x/acme", "", 1, null, ["acme"]]
	not paths.within(path, "acme")
}

test_parent_of_no_text_holds_nothing[parent] if {
	some parent in [1, null, ["acme"], {}]
	not paths.within("acme", parent)
	not paths.same("acme", parent)
}
