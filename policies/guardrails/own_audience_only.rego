# METADATA
# title: An audience of ours only
# description: |
#   A token whose `aud` is the provider's own URL may have been made for another service, which could then hand it in here. An
#   audience that names this service alone shows that the job meant it. Put your own addresses into `ours`, and the same
#   into the identities' `allowedAudiences` and the jobs' `id_tokens`.
#
#   Beside others: keep `ours` and this file's `met` rules, and put its line of `required` into theirs.
package claimgate.guardrails

required := {"own_audience": "The token's aud must be this service's own: set aud under id_tokens in the job."}

ours := {"https://claimgate.example.com"}

met contains "own_audience" if input.claims.aud in ours

# A list of one is as good as the text in it; no token with several audiences is let in by any identity.
met contains "own_audience" if {
	some audience in ours
	input.claims.aud == [audience]
}
