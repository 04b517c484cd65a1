import { startApp } from '../app.ts'
import { systemClock } from '../clock.ts'
import { type Command, DONE } from './command.ts'

/** `claimgate serve`: the service, until it is told to end. */
export const serveCommand: Command = {
  name: 'serve',
  usage: '[--no-migrate]',
  does: "the service; brings the database's schema up to date first",
  flags: { 'no-migrate': { type: 'boolean' } },
  logsToStdout: true,
  async run({ config, log, flags }) {
    const app = await startApp({ config, log, clock: systemClock, migrate: flags['no-migrate'] !== true })
    // Before it says that it listens: whoever reads that may end it at once.
    const signalled = new Promise<string>((resolve) => {
      // A second signal (npm repeats the terminal's) must not cut short what the first began.
      for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => resolve(name))
    })
    log.info({ url: app.url, publicUrl: config.publicUrl }, 'listening')
    const signal = await signalled
    log.info({ signal }, 'shutting down')
    await app.close()
    log.info('stopped')
    return DONE
  },
}
