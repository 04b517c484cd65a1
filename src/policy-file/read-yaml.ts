import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import type { FieldProblem } from '../fields/describe-issue.ts'
import { shownText } from '../fields/field-path.ts'

/** Where something stands in a text; both count from 1. */
export type Place = { readonly line: number; readonly column: number }

export type YamlProblem = FieldProblem & { readonly place: Place }

/** A YAML document as a value, and where in the text each of its fields stands. */
export type YamlFile = {
  readonly value: unknown
  /** The place of a field's value, or of the nearest that there is around it. */
  placeOf(path: readonly PropertyKey[]): Place
  /** The place of a field's name. */
  placeOfName(path: readonly PropertyKey[]): Place
  /** A scalar as it was written, where it is one: 1.10 is not 1.1. */
  sourceOf(path: readonly PropertyKey[]): string | undefined
}

export type ReadYaml =
  | { readonly ok: true; readonly file: YamlFile }
  | { readonly ok: false; readonly problems: readonly YamlProblem[] }

/** Deeper than any identity, and low enough that no file exhausts the stack. */
const MAX_DEPTH = 32
/** A message may hold what the author wrote, of any length. */
const MAX_MESSAGE = 200

/**
 * Reads one YAML 1.2 document that means the same to every reader: no anchors and aliases, no tags, no name twice, no
 * name that is not text. All that is wrong with it is found at once.
 */
export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter()
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    // Found below, with their names.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  })
  const [document, second] = Array.isArray(documents) ? documents : []
  if (document === undefined) {
    return refused([{ path: [], message: 'the file is empty', place: { line: 1, column: 1 } }])
  }
  const problems: YamlProblem[] = syntaxProblems(document, placeAt)
  if (second !== undefined) {
    problems.push({ path: [], message: 'a file holds one document', place: placeAt(second.range[0]) })
  }
  problems.push(...directiveProblems(document))
  if (problems.length > 0) return refused(problems)
  const walk = walkDocument(document.contents as Node | null, placeAt)
  return walk.problems.length > 0 ? refused(walk.problems) : { ok: true, file: walk.file }
}

const TOO_DEEP = `is nested deeper than ${MAX_DEPTH} levels`

function refused(problems: readonly YamlProblem[]): ReadYaml {
  return { ok: false, problems }
}

function syntaxProblems(document: Document.Parsed, placeAt: (offset: number) => Place): YamlProblem[] {
  return [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    path: [],
    message: describeSyntax(message),
    place: placeAt(pos[0]),
  }))
}

/** Other readers would read the file by them. */
function directiveProblems({ directives: { yaml, tags } }: Document.Parsed): readonly YamlProblem[] {
  const place = { line: 1, column: 1 }
  return [
    ...(yaml.version === '1.2'
      ? []
      : [{ path: [], message: `YAML ${yaml.version} is not read: it is 1.2`, place }]),
    ...(Object.keys(tags).length === 1
      ? []
      : [{ path: [], message: 'the directive %TAG is not read', place }]),
  ]
}

/** The parser's own words in one line; what it says of itself where a file nests beyond its stack is the file's fault. */
function describeSyntax(message: string): string {
  if (/call stack/i.test(message)) return TOO_DEEP
  const [line = ''] = message.slice(0, MAX_MESSAGE).split('\n')
  return line.slice(0, 1).toLowerCase() + line.slice(1)
}

type Path = readonly PropertyKey[]

function walkDocument(root: Node | null, placeAt: (offset: number) => Place) {
  const problems: YamlProblem[] = []
  const places = new Map<string, { readonly place: Place; readonly source: string | undefined }>()
  const names = new Map<string, Place>()
  const add = (path: Path, message: string, place: Place) => void problems.push({ path, message, place })

  /** `from` is where a field without a value of its own stands. */
  const readNode = (node: Node | null, path: Path, from: Place): unknown => {
    const place = node?.range ? placeAt(node.range[0]) : from
    places.set(keyOf(path), { place, source: isScalar(node) ? node.source : undefined })
    if (path.length > MAX_DEPTH) return add(path, TOO_DEEP, place)
    if (isAlias(node)) return add(path, 'aliases are not read: write it out', place)
    if (node === null) return null
    if (node.anchor !== undefined) add(path, `the anchor ${shownText(node.anchor)} is not read`, place)
    if (node.tag !== undefined) add(path, tagText(node.tag), place)
    if (isMap(node)) return readMap(node, path, place)
    if (isSeq(node))
      return node.items.map((item, index) => readNode(item as Node | null, [...path, index], place))
    return (node as Scalar).value
  }

  const readMap = (map: YAMLMap, path: Path, from: Place): object => {
    const members: [string, unknown][] = []
    const seen = new Map<string, Place>()
    for (const pair of map.items as Pair<Node | null, Node | null>[]) {
      const place = pair.key?.range ? placeAt(pair.key.range[0]) : from
      const name = isScalar(pair.key) && pair.key.anchor === undefined ? pair.key.value : undefined
      if (typeof name !== 'string') {
        add(path, 'a name must be text, without an anchor', place)
        continue
      }
      const first = seen.get(name)
      if (first !== undefined) add([...path, name], `stands here twice, first in line ${first.line}`, place)
      seen.set(name, place)
      if (pair.key?.tag !== undefined) add([...path, name], tagText(pair.key.tag), place)
      if (name === '<<') add([...path, name], 'merge keys are not read: write it out', place)
      members.push([name, readNode(pair.value, [...path, name], place)])
      names.set(keyOf([...path, name]), place)
    }
    // Also of a member called __proto__, which whoever reads the value refuses.
    return Object.fromEntries(members)
  }

  const value = readNode(root, [], { line: 1, column: 1 })
  const placeOf = (path: Path): Place =>
    places.get(keyOf(path))?.place ??
    (path.length === 0 ? { line: 1, column: 1 } : placeOf(path.slice(0, -1)))
  const file: YamlFile = {
    value,
    placeOf,
    placeOfName: (path) => names.get(keyOf(path)) ?? placeOf(path),
    sourceOf: (path) => places.get(keyOf(path))?.source,
  }
  return { problems, file }
}

/** The library resolves `!!str`, however it is written; a node without a tag has none. */
function tagText(tag: string): string {
  return `the tag ${shownText(tag.replace(/^tag:yaml\.org,2002:/, '!!'))} is not read`
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}
