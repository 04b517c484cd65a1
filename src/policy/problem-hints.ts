import { distance } from 'fastest-levenshtein'

/** One plain sentence for what is often behind a compiler's words; `oneOf` are the names that the schema has there. */
export function hintFor(message: string, oneOf: readonly unknown[] = []): string | undefined {
  return nearestRef(message, oneOf) ?? HINTS.find(([words]) => words.test(message))?.[1]
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
    /keywords\.and`/,
    "Write what must all hold on a line each, or with ';' between: 'and' is no word of Rego.",
  ],
  [
    /keywords\.or`|unexpected or token/,
    "Write a rule 'met contains …' for each way, or use in {…}: 'or' is no word of Rego.",
  ],
  [/^unexpected (eq|assign) token/, "Compare with '=='."],
  [/^illegal token/, 'Texts stand in double quotes.'],
  [
    /^undefined function internal\.print$/,
    'print is not available: what a policy finds is told by its codes and messages.',
  ],
  [
    /^undefined function (time|http|net|rand|uuid|opa|crypto|io|rego|trace|providers)\b/,
    'Policies read no clock, network, chance or machine, so that they decide alike again: the time is input.time, in seconds.',
  ],
  [
    /^undefined function (sprintf|regex\.split)$/,
    'It is not available: concat and split give the same result everywhere.',
  ],
  [
    /^undefined function glob\.match$/,
    'It is not available: use startswith, endswith, or regex.match with ^ and $.',
  ],
  [
    /^undefined function/,
    'There is no such function here: see the list of built-in functions in policies/capabilities.json.',
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
  const given = /^undefined ref: \S*?([A-Za-z0-9_]+)(?:\[.*)?$/.exec(message)?.[1]
  if (given === undefined) return undefined
  const names = oneOf.filter((name) => typeof name === 'string')
  const near = names.toSorted((a, b) => distance(a, given) - distance(b, given))[0]
  if (near !== undefined && distance(near, given) <= Math.max(2, given.length / 3))
    return `Did you mean ${near}?`
  if (!message.startsWith('undefined ref: input.claims.')) return undefined
  return 'There is no such claim from this provider: the names are in its schema, policies/schemas.'
}
