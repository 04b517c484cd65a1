import { isMainThread } from 'node:worker_threads'

/** More than three times what the slowest file takes. */
const BOUND_MS = 180_000

/**
 * Loaded before each test file: ends the file's process where it goes on for too long, and says what keeps it. Node's
 * own bound is one on each test; it does not end a file whose server or process stays open.
 */
if (isMainThread && process.env.NODE_TEST_CONTEXT === 'child-v8') {
  setTimeout(() => {
    const kept = [...new Set(process.getActiveResourcesInfo())].join(', ')
    process.stderr.write(`${process.argv[1]} did not end within ${BOUND_MS / 1000} s: it keeps ${kept}.\n`)
    process.exit(1)
  }, BOUND_MS).unref()
}
