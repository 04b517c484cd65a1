# METADATA
# title: Hosted runners only
# description: |
#   On a runner of one's own, whoever administers it sees every token of its jobs. This lets in only jobs on the runners
#   that GitLab.com or GitHub runs (`runner_environment`; GitLab sends it from 16.0 on). Where all runners are your own,
#   turn it round and ask for "self-hosted".
#
#   Beside others: keep this file's `met` rule and put its line of `required` into theirs.
package claimgate.guardrails

required := {"hosted_runner": "Only jobs on hosted runners get access tokens: choose one by its tags."}

met contains "hosted_runner" if input.claims.runner_environment in {"gitlab-hosted", "github-hosted"}
