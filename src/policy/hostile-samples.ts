import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import { PROVIDERS, type ProviderType } from '../provider/providers.ts'
import type { Attack } from './attack.ts'
import { githubAdmits } from './github-admits.ts'
import { githubAttacks } from './github-attacks.ts'
import { gitlabAdmits } from './gitlab-admits.ts'
import { gitlabAttacks } from './gitlab-attacks.ts'
import { sampleClaims } from './sample-claims.ts'

/** An attack on a rule, which that rule does not admit by what it says; another one may. */
export type HostileSample = Attack & { readonly rule: Rule }

/** What tells a provider's hostile tokens from good ones. */
type HostileProvider = {
  readonly attacks: (rule: Rule, admitted: JsonObject) => readonly Attack[]
  /** By a second writing of what the provider's Rego proves, never by the policy that is held to it. */
  readonly admits: (rule: Rule, claims: JsonObject) => boolean
}

const HOSTILE: Readonly<Record<ProviderType, HostileProvider>> = {
  GITLAB: { attacks: gitlabAttacks, admits: gitlabAdmits },
  GITHUB: { attacks: githubAttacks, admits: githubAdmits },
}

/**
 * Each sample is judged on all rules, a rule in some 50 µs, so that a hundred rules with all their samples would take
 * half a minute. Up to some seventeen rules all are run.
 */
const MAX_JUDGED_RULES = 20_000

/** Whether a rule admits these claims, by its author's words and apart from its policy. */
export function ruleAdmits(provider: ProviderType, rule: Rule, claims: JsonObject): boolean {
  return HOSTILE[provider].admits(rule, claims)
}

/**
 * The hostile samples of these rules: every one that its rule must refuse. Where not all can be run each rule has some,
 * and others than the rule before it: all rules are judged by the same Rego.
 */
export function hostileSamples(provider: ProviderType, rules: readonly Rule[]): readonly HostileSample[] {
  const { attacks, admits } = HOSTILE[provider]
  const ofRules = rules.map((rule) =>
    attacks(rule, sampleClaims(rule, PROVIDERS[provider]).claims)
      .filter(({ claims }) => !admits(rule, claims))
      .map((attack) => ({ ...attack, rule })),
  )
  const total = ofRules.reduce((sum, samples) => sum + samples.length, 0)
  if (total * rules.length <= MAX_JUDGED_RULES) return ofRules.flat()
  const each = Math.max(1, Math.floor(MAX_JUDGED_RULES / rules.length ** 2))
  return ofRules.flatMap((samples, index) => {
    const start = (index * each) % Math.max(1, samples.length)
    return [...samples.slice(start), ...samples.slice(0, start)].slice(0, each)
  })
}

/**
 * The first of the rules that a policy found met by a sample and that does not admit it. A rule that does admit it, as
 * one for merge requests beside one without, makes the sample an honest token there.
 */
export function wronglyMet(
  provider: ProviderType,
  rules: readonly Rule[],
  claims: JsonObject,
  metIds: readonly string[],
): Rule | undefined {
  return rules.find((rule) => metIds.includes(rule.id) && !HOSTILE[provider].admits(rule, claims))
}
