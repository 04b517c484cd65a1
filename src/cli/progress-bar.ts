import type { WriteStream } from 'node:tty'

export type ProgressBar = {
  /** `share`: how much is done, from 0 to 1. */
  show(text: string, share: number): void
  /** Leaves the last state on a line of its own. */
  end(): void
}

const WIDTH = 30
/** Faster than anybody reads, and slow enough for any terminal. */
const REDRAW_MS = 100

/** A line that tells how far something is, on a terminal; nothing where there is none. */
export function createProgressBar(terminal: WriteStream | undefined): ProgressBar {
  if (!terminal?.isTTY) return { show: () => undefined, end: () => undefined }
  let line = ''
  let drawnAt = Number.NEGATIVE_INFINITY
  const draw = () => terminal.write(`\r\x1b[K${line.slice(0, terminal.columns - 1)}`)
  return {
    show(text, share) {
      const done = Math.round(share * WIDTH)
      const percent = String(Math.floor(share * 100)).padStart(3)
      line = `[${'#'.repeat(done)}${' '.repeat(WIDTH - done)}] ${percent} %  ${text}`
      if (performance.now() - drawnAt < REDRAW_MS) return
      drawnAt = performance.now()
      draw()
    },
    end() {
      if (line === '') return
      draw()
      terminal.write('\n')
    },
  }
}
