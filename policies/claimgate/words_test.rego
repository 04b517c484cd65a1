package claimgate.words_test

import data.claimgate.words

test_one_of if {
	words.one_of(["push"]) == "'push'"
	words.one_of(["push", "web"]) == "one of 'push', 'web'"
	words.one_of([]) == "nothing, because the rule's list is empty"
}
