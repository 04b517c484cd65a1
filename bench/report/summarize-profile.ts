import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { table } from './table.ts'

/** The parts of a `.cpuprofile` (V8's format) that are read here. */
type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const SHOWN = 25
/** What a thread does when it does nothing. */
const IDLE = '(idle)'

/** Where the service's main thread spent its time: self time by module and by function, as shares of what was busy. */
export function summarizeProfiles(profileDir: string): string {
  const files = readdirSync(profileDir).filter((name) => name.endsWith('.cpuprofile'))
  return files
    .map((file) => summarize(file, JSON.parse(readFileSync(join(profileDir, file), 'utf8')) as CpuProfile))
    .join('\n\n')
}

function summarize(file: string, profile: CpuProfile): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]))
  const [byFunction, byModule] = [new Map<string, number>(), new Map<string, number>()]
  let busy = 0
  for (const [index, id] of profile.samples.entries()) {
    const frame = nodes.get(id)
    const microseconds = profile.timeDeltas[index] ?? 0
    if (frame === undefined || frame.functionName === IDLE) continue
    const module = moduleOf(frame.url)
    busy += microseconds
    add(byModule, module || frame.functionName, microseconds)
    const place = module === '' ? '' : ` ${module}:${frame.lineNumber + 1}`
    add(byFunction, `${frame.functionName || '(anonymous)'}${place}`, microseconds)
  }
  const rows = (times: Map<string, number>) =>
    [...times]
      .sort(([, a], [, b]) => b - a)
      .slice(0, SHOWN)
      .map(([name, microseconds]) => [name, `${((microseconds / busy) * 100).toFixed(1)} %`])
  return [
    `${file}: ${(busy / 1e6).toFixed(1)} s busy`,
    table(['module', 'self'], rows(byModule)),
    table(['function', 'self'], rows(byFunction)),
  ].join('\n\n')
}

/** `src/http/server.ts`, a package's name, or Node's own module. */
function moduleOf(url: string): string {
  const [, packageName] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url) ?? []
  if (packageName !== undefined) return packageName
  return /src\/.*$/.exec(url)?.[0] ?? url
}

function add(times: Map<string, number>, name: string, microseconds: number): void {
  times.set(name, (times.get(name) ?? 0) + microseconds)
}
