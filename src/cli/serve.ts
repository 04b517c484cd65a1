import { startPrimary } from '../app/primary.ts'
import { type App, type AppOptions, startApp } from '../app.ts'
import { systemClock } from '../clock.ts'
import { saveCompiledCode } from '../compiled-code.ts'
import { findPrimary } from '../workers/primary-link.ts'
import { DONE, type ServiceCommand } from './command.ts'

/** Enough for whoever keeps a connection busy; who asks `/readyz` is slower, and is given time before the signal. */
const LAME_DUCK_MS = 500

/** `claimgate serve`: the service, until it is told to end. */
export const serveCommand: ServiceCommand = {
  usage: '[--no-migrate]',
  does: "the service; brings the database's schema up to date first",
  flags: { 'no-migrate': { type: 'boolean' } },
  logsToStdout: true,
  async run({ config, log, flags }) {
    const options = {
      config,
      log,
      clock: systemClock,
      migrate: flags['no-migrate'] !== true,
      lameDuckMs: LAME_DUCK_MS,
    }
    const primary = findPrimary()
    if (primary !== undefined) {
      const app = await startApp({ ...options, primary })
      const ended = untilSignalled()
      primary.tellListening(app.url)
      await ended
      await app.close()
      return DONE
    }
    const app = await start(options)
    // Before it says that it listens: whoever reads that may end it at once.
    const ended = untilSignalled()
    // Now and not when it ends, as it may be killed.
    saveCompiledCode()
    log.info({ url: app.url, metricsUrl: app.metricsUrl, publicUrl: config.publicUrl }, 'listening')
    log.info({ signal: await ended }, 'shutting down')
    await app.close()
    log.info('stopped')
    return DONE
  },
}

function start(options: AppOptions): Promise<App> {
  return options.config.workers > 1 ? startPrimary(options) : startApp(options)
}

function untilSignalled(): Promise<string> {
  return new Promise((resolve) => {
    // A second signal (npm repeats the terminal's) must not cut short what the first began.
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => resolve(name))
  })
}
