import assert from 'node:assert/strict'

export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
export type Family = {
  readonly help: string
  readonly type: string
  readonly samples: readonly Sample[]
}
export type Exposition = ReadonlyMap<string, Family>

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  counter: [''],
  gauge: [''],
}

/** Reads Prometheus' text format 0.0.4 strictly: every line is of it, every sample of a family that was introduced, once. */
export function parseExposition(text: string): Exposition {
  const families = new Map<string, { help: string; type: string; samples: Sample[] }>()
  const seen = new Set<string>()
  let current = ''
  assert.match(text, /\n$/)
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, kind, name = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line) ?? []
    if (kind === 'HELP') {
      assert.ok(!families.has(name), `${name} is introduced twice`)
      families.set(name, { help: rest, type: '', samples: [] })
      current = name
      continue
    }
    const family = families.get(current)
    assert.ok(family, `no family: ${line}`)
    if (kind === 'TYPE') {
      assert.equal(name, current)
      assert.ok(SUFFIXES[rest], `the type of ${name} is ${rest}`)
      family.type = rest
      continue
    }
    const sample = parseSample(line)
    assert.ok(
      SUFFIXES[family.type]?.some((suffix) => sample.name === `${current}${suffix}`),
      `${line} is none of ${current}`,
    )
    const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    assert.ok(!seen.has(key), `twice: ${line}`)
    seen.add(key)
    family.samples.push(sample)
  }
  return families
}

function parseSample(line: string): Sample {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? []
  assert.ok(name, `not of the format: ${line}`)
  const labels: Record<string, string> = {}
  for (LABEL.lastIndex = 0; LABEL.lastIndex < labelText.length; ) {
    const match = LABEL.exec(labelText)
    assert.ok(match, `not of the format: ${line}`)
    labels[match[1] ?? ''] = match[2] ?? ''
  }
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : number === 'Nan' ? Number.NaN : Number(number)
  assert.ok(number === 'Nan' || !Number.isNaN(value), `no number: ${line}`)
  return { name, labels, value }
}

/** The sum of a sample's values over those whose labels have (at least) these values. */
export function sumOf(
  metrics: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ''))
  assert.ok(family, `there is no ${name}`)
  return family.samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}
