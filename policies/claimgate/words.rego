# METADATA
# title: Words
# description: How a verdict says what it expects; a job's log shows it, so every value stands in single quotes.
package claimgate.words

# METADATA
# title: One of some values
# description: A list of values in words.
one_of(values) := "nothing, because the rule's list is empty" if count(values) == 0

one_of(values) := quoted(values[0]) if count(values) == 1

one_of(values) := concat(" ", ["one of", concat(", ", [quoted(value) | some value in values])]) if count(values) > 1

quoted(value) := concat("", ["'", value, "'"])
