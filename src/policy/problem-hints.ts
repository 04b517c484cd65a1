import { nearestName } from '../fields/nearest-name.ts'
import { PROVIDERS } from '../provider/providers.ts'

const INPUT = ['claims', 'identity', 'provider', 'time']
const CLAIMS = Object.values(PROVIDERS).flatMap(({ claims }) => [...claims.keys()])

/** Functions that Rego has, and policies do not: whoever calls one has not misspelt it. */
const FORBIDDEN = new RegExp(
  `^(?:${[
    '(?:crypto|glob|graphql|hex|http|io|opa|providers|rand|rego|semver|time|units|uri|urlquery|uuid)\\..+',
    'cast_\\w+|indexof_n|print|sprintf|trace',
    'base64(?:url)?\\.(?:decode|encode_no_pad|is_valid)',
    'graph\\.reachable_paths',
    'json\\.(?:marshal_with_options|match_schema|patch|verify_schema)',
    'net\\.(?:cidr_contains_matches|cidr_expand|cidr_is_valid|cidr_merge|lookup_ip_addr)',
    'numbers\\.range_step|object\\.subset',
    'regex\\.(?:find_n|globs_match|replace|split|template_match)',
    'strings\\.(?:any_prefix_match|any_suffix_match|count|render_template|split_n)',
  ].join('|')})$`,
)

/** The compiler's words, but where they read as if a name were misspelt or propose what is refused here. */
export function plainMessage(message: string): string {
  const called = /^undefined function (?:internal\.)?(\S+)$/.exec(message)?.[1]
  if (called !== undefined && FORBIDDEN.test(called)) return `Policies may not use ${called}.`
  return message.replace(/ \(hint: `import [^)]*\)$/, '')
}

/** One plain sentence for what is often behind a compiler's words; `oneOf` are the names that the schema has there. */
export function hintFor(message: string, oneOf: readonly unknown[] = []): string | undefined {
  return (
    nearestRef(message, oneOf) ?? inputMeant(message) ?? HINTS.find(([words]) => words.test(message))?.[1]
  )
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/`if` keyword is required/, 'Write \'if\' before the body: met contains "CODE" if { … }.'],
  [/`contains` keyword is required/, 'A set of codes is written: met contains "CODE" if …'],
  [
    /rule name conflicts with built-in function/,
    "The line is read as a rule of its own: write 'if' before what must hold, and several lines in { }.",
  ],
  [/^unexpected package/, 'A file has one package: take the second one out.'],
  [
    /^package expected/,
    "Begin the file with its package: 'package claimgate.conditions' (or claimgate.guardrails).",
  ],
  [/^empty module/, 'There is nothing but comments: leave the field empty where nothing is required.'],
  [
    /keywords\.and`|unexpected and token/,
    "Write what must all hold on a line each, or with ';' between: 'and' is no word of Rego.",
  ],
  [
    /keywords\.or`|unexpected or token/,
    "'or' is no word of Rego: any of several rules 'met contains …' with the same code meets it, and in {…} compares with several values.",
  ],
  [
    /^var cannot be used for rule name|^unexpected identifier token/,
    "'or' and 'and' are no words of Rego: any of several rules 'met contains …' with the same code meets it, and what must all hold stands on a line each in { }.",
  ],
  [/^unexpected if keyword/, 'A rule has one \'if\', and its code before it: met contains "CODE" if { … }.'],
  [/^unexpected (eq|assign) token/, "Compare with '=='."],
  [/^illegal token/, 'Texts stand in double quotes.'],
  [/^undefined function internal\.print$/, 'What a policy finds is told by its codes and messages.'],
  [
    /^undefined function (time|http|net\.lookup_ip_addr|rand|uuid|opa|crypto|io|rego|trace|providers)\b/,
    'Policies read no clock, network, chance or machine, so that they decide alike again: the time is input.time, in seconds.',
  ],
  [
    /^undefined function (sprintf|regex\.split)$/,
    'Use concat and split, which give the same result everywhere.',
  ],
  [/^undefined function glob\.match$/, 'Use startswith, endswith, or regex.match with ^ and $.'],
  [/^undefined function/, 'The functions that policies may use are listed in policies/capabilities.json.'],
  [
    /^deprecated built-in.*: re_match/,
    'Use regex.match, with ^ at the begin and $ at the end of the pattern.',
  ],
  [/^deprecated built-in/, "It is deprecated: 'some x in list' and 'every x in list { … }' say the same."],
  [
    /is recursive/,
    'A rule must not need itself, not through others either: take one step out of the circle.',
  ],
  [/^assigned var \w+ unused|^declared var \w+ unused/, 'Use it, or take it out.'],
  [
    /is unsafe$/,
    'It has no value: a name is given one by := or some … in, and a text stands in double quotes.',
  ],
  [
    /assignment conflict|insert conflict|must not produce multiple outputs|multiple default rules|conflicting rules|complete rules must not/,
    'Two rules of one name give different values: give them different names, or make it a set with contains.',
  ],
  [
    /^match error/,
    'The two can never be equal, as they are of different types: claims are text, but runner_id is a number.',
  ],
]

/** For a name that the schema does not have, the nearest that it has. */
function nearestRef(message: string, oneOf: readonly unknown[]): string | undefined {
  const [, part, name = '', rest = ''] =
    /^undefined ref: input\.(?:(claims|identity)\.)?(\w+)(.*)$/.exec(message) ?? []
  const names = oneOf.filter((each) => typeof each === 'string')
  const near = nearestName(name, names)
  if (part === undefined)
    return message.startsWith('undefined ref: input.') ? ofInput(near, name, rest) : undefined
  if (near !== undefined) return `Did you mean ${near}?`
  if (part !== 'claims') return undefined
  return names.length === 0
    ? 'This claim has no parts: compare it whole, or by startswith.'
    : 'There is no such claim from this provider: the names are in its schema, policies/schemas.'
}

function ofInput(near: string | undefined, name: string, rest: string): string {
  if (near !== undefined) return `Did you mean input.${near}${rest}?`
  const claim = nearestName(name, CLAIMS)
  if (claim !== undefined) return `Did you mean input.claims.${claim}${rest}?`
  return 'The input has claims, identity, provider and time: a claim is read as input.claims.NAME.'
}

/** A variable that nothing gives a value, where it is called like a part of the input. */
function inputMeant(message: string): string | undefined {
  const name = /^var (\w+) is unsafe$/.exec(message)?.[1] ?? ''
  if (CLAIMS.includes(name)) return `Did you mean input.claims.${name}?`
  return INPUT.includes(name) ? `Did you mean input.${name}, as in input.claims.NAME?` : undefined
}
