import { readdirSync, readFileSync } from 'node:fs'

/** What a process uses, as Linux tells it; NaN for each figure that this system does not tell. */
export type ProcessUsage = {
  readonly processorMs: number
  /** Of that, what its first thread took: of a Node server the one that everything passes through. */
  readonly mainThreadMs: number
  readonly residentMb: number
  readonly descriptors: number
}

/** Linux counts processor time in hundredths of a second for every program that asks. */
const MS_PER_TICK = 10

/** The usage of one process with all its threads. */
export function usageOf(pid: number): ProcessUsage {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
  const descriptors = orUndefined(() => readdirSync(`/proc/${pid}/fd`).length)
  return {
    processorMs: statOf(`/proc/${pid}`)?.ownMs ?? Number.NaN,
    mainThreadMs: statOf(`/proc/${pid}/task/${pid}`)?.ownMs ?? Number.NaN,
    residentMb: Number(resident) / 1024,
    descriptors: descriptors ?? Number.NaN,
  }
}

/** The processor time of a process and its children, those that have ended too. */
export function processorMsOfTree(pid: number): number {
  const root = statOf(`/proc/${pid}`)
  if (root === undefined) return Number.NaN
  const children = readdirSync('/proc')
    .map((name) => statOf(`/proc/${name}`))
    .filter((stat) => stat?.parent === pid)
  return children.reduce((sum, child) => sum + (child?.ownMs ?? 0), root.ownMs + root.endedMs)
}

/** The processor time of this process's children that have ended. */
export function processorMsOfEnded(): number {
  return statOf('/proc/self')?.endedMs ?? Number.NaN
}

/** proc(5): the fields after the command's name, which stands in parentheses and may hold anything. */
function statOf(directory: string): { parent: number; ownMs: number; endedMs: number } | undefined {
  const text = read(`${directory}/stat`)
  if (text === '') return undefined
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map(
    (index) => fields[index] ?? 0,
  )
  return {
    parent: parent ?? 0,
    ownMs: ((user ?? 0) + (system ?? 0)) * MS_PER_TICK,
    endedMs: ((endedUser ?? 0) + (endedSystem ?? 0)) * MS_PER_TICK,
  }
}

function read(path: string): string {
  return orUndefined(() => readFileSync(path, 'utf8')) ?? ''
}

function orUndefined<Value>(look: () => Value): Value | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
