import type { Measurement } from '../scenarios/measure.ts'

const ROW = 22
const LABEL = 250
const WIDTH = 420
const COLOURS = ['#2f6f4f', '#8fb339', '#4a6fa5', '#c08552', '#7d5ba6']

/** Throughput and p99 of every measurement as bars, an SVG of its own. */
export function chart(measurements: readonly Measurement[]): string {
  const names = [...new Set(measurements.map(({ contestant }) => contestant))]
  const colourOf = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length] ?? '#555'
  const panels = [
    panel('requests a second', measurements, ({ perSecond }) => perSecond, 0, colourOf),
    panel('p99 in milliseconds', measurements, ({ p99Ms }) => p99Ms, 1, colourOf),
  ]
  const height = (measurements.length + 2) * ROW
  const placed = panels.map(
    (content, index) => `<g transform="translate(0 ${index * height})">${content}</g>`,
  )
  const size = `width="${LABEL + WIDTH + 90}" height="${height * panels.length}"`
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="system-ui, sans-serif" font-size="12">\n` +
    `<rect width="100%" height="100%" fill="white"/>\n${placed.join('\n')}\n</svg>\n`
  )
}

function panel(
  title: string,
  measurements: readonly Measurement[],
  read: (measurement: Measurement) => number,
  digits: number,
  colourOf: (name: string) => string,
): string {
  const most = Math.max(...measurements.map(read).filter(Number.isFinite))
  const bars = measurements.map((measurement, index) => {
    const value = read(measurement)
    const width = Math.max(1, (value / most) * WIDTH)
    const middle = (index + 1) * ROW + ROW / 2 + 4
    const label = `${measurement.contestant}, ${measurement.load}`
    return (
      `<text x="${LABEL - 8}" y="${middle}" text-anchor="end">${escapeXml(label)}</text>` +
      `<rect x="${LABEL}" y="${(index + 1) * ROW + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" ` +
      `fill="${colourOf(measurement.contestant)}"/>` +
      `<text x="${(LABEL + width + 5).toFixed(1)}" y="${middle}">${value.toFixed(digits)}</text>`
    )
  })
  return `<text x="${LABEL}" y="${ROW - 6}" font-weight="bold">${escapeXml(title)}</text>\n${bars.join('\n')}`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
