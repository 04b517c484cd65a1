import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { distance } from 'fastest-levenshtein'

/** What the operator decided, checked. */
export type Config = {
  readonly host: string
  readonly port: number
  /** Our issuer, without a trailing slash. */
  readonly publicUrl: string
  readonly databaseUrl: string | undefined
  readonly migrationDatabaseUrl: string | undefined
  readonly dataDir: string
  readonly identityDomain: string
  readonly adminToken: string | undefined
  /** 32 bytes each; the first encrypts, all decrypt. */
  readonly keyEncryptionKeys: readonly Uint8Array[]
  /** 0: never by itself. */
  readonly signingKeyRotationDays: number
  readonly privateIssuers: readonly string[]
  readonly tokenLifetimeSeconds: number
  readonly clockSkewSeconds: number
  readonly maxTokenAgeSeconds: number
  readonly opaBin: string | undefined
  readonly trustProxy: number | readonly string[]
  /** Undefined: for ever. */
  readonly decisionRetentionDays: number | undefined
  /** Server processes on one port. */
  readonly workers: number
  /** Undefined where metrics have no port of their own. */
  readonly metricsPort: number | undefined
  /** Where traces go over OTLP/HTTP, if anywhere. */
  readonly otlpEndpoint: string | undefined
  /** From which grade on findings refuse a save that does not acknowledge them. */
  readonly blockFindings: 'none' | 'critical' | 'warning'
  readonly logLevel: string
}

/** What a command needs that works with files, and with a service only over its API. */
export type ClientConfig = Pick<Config, 'identityDomain' | 'opaBin' | 'tokenLifetimeSeconds'> & {
  /** What it calls the service with: an access token, or else the admin token. */
  readonly token: string | undefined
}

/** All that is wrong with the environment, a line each. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Variables whose value may stand in a file instead, named by NAME_FILE. */
const SECRETS = [
  'DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'ADMIN_TOKEN',
  'KEY_ENCRYPTION_KEY',
  'ACCESS_TOKEN',
]
const NAMES = [
  ...SECRETS,
  ...SECRETS.map((name) => `${name}_FILE`),
  'HOST',
  'PORT',
  'PUBLIC_URL',
  'DATA_DIR',
  'IDENTITY_DOMAIN',
  'PRIVATE_ISSUERS',
  'TOKEN_LIFETIME_SECONDS',
  'CLOCK_SKEW_SECONDS',
  'MAX_TOKEN_AGE_SECONDS',
  'OPA_BIN',
  'TRUST_PROXY',
  'DECISION_RETENTION_DAYS',
  'SIGNING_KEY_ROTATION_DAYS',
  'WORKERS',
  'METRICS_PORT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'BLOCK_FINDINGS',
  'LOG_LEVEL',
]
const DEFAULT_DOMAIN = 'workload.claimgate.internal'
const DEFAULT_LIFETIME_SECONDS = 3600
/** Each is a process with its threads and connections of its own. */
const MAX_WORKERS = 64
const BLOCK_FINDINGS = ['none', 'critical', 'warning'] as const
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
/** RFC 1035 labels; the domain is what every identity's email ends with. */
const DOMAIN = /^(?=.{1,190}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

/**
 * Reads the configuration from environment variables; an empty one counts as absent.
 * Throws `ConfigError` with every mistake at once. No message holds a secret's value.
 */
export function readConfig(env: Environment): { config: Config; warnings: readonly string[] } {
  const problems: string[] = []
  const secret = (name: string) => readSecret(env, name, problems)
  const value = (name: string) => env[name] || undefined
  const integer = <Fallback extends number | undefined>(
    name: string,
    fallback: Fallback,
    min: number,
    max: number,
  ): number | Fallback => readInteger(name, value(name), fallback, min, max, problems)

  const port = integer('PORT', 8080, 0, 65_535)
  const config: Config = {
    host: value('HOST') ?? '127.0.0.1',
    port,
    publicUrl: readPublicUrl(value('PUBLIC_URL'), port, problems),
    databaseUrl: readDatabaseUrl('DATABASE_URL', secret('DATABASE_URL'), problems),
    migrationDatabaseUrl: readDatabaseUrl(
      'MIGRATION_DATABASE_URL',
      secret('MIGRATION_DATABASE_URL'),
      problems,
    ),
    dataDir: value('DATA_DIR') ?? '.claimgate',
    identityDomain: value('IDENTITY_DOMAIN') ?? DEFAULT_DOMAIN,
    adminToken: secret('ADMIN_TOKEN'),
    keyEncryptionKeys: readKeyEncryptionKeys(secret('KEY_ENCRYPTION_KEY'), problems),
    signingKeyRotationDays: integer('SIGNING_KEY_ROTATION_DAYS', 30, 0, 3650),
    privateIssuers: readPrivateIssuers(value('PRIVATE_ISSUERS'), problems),
    tokenLifetimeSeconds: integer('TOKEN_LIFETIME_SECONDS', DEFAULT_LIFETIME_SECONDS, 60, 3600),
    clockSkewSeconds: integer('CLOCK_SKEW_SECONDS', 60, 0, 300),
    maxTokenAgeSeconds: integer('MAX_TOKEN_AGE_SECONDS', 86_400, 60, 86_400),
    opaBin: value('OPA_BIN'),
    trustProxy: readTrustProxy(value('TRUST_PROXY'), problems),
    decisionRetentionDays: integer('DECISION_RETENTION_DAYS', undefined, 1, 36_500),
    workers: integer('WORKERS', 1, 1, MAX_WORKERS),
    metricsPort: value('METRICS_PORT') === undefined ? undefined : integer('METRICS_PORT', 0, 0, 65_535),
    otlpEndpoint: readOtlpEndpoint(value('OTEL_EXPORTER_OTLP_ENDPOINT'), problems),
    blockFindings: readBlockFindings(value('BLOCK_FINDINGS'), problems),
    logLevel: value('LOG_LEVEL') ?? 'info',
  }
  checkDomain(config.identityDomain, problems)
  if (!LOG_LEVELS.includes(config.logLevel))
    problems.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`)
  if (config.adminToken !== undefined && !/^[\x21-\x7e]{32,}$/.test(config.adminToken)) {
    problems.push('ADMIN_TOKEN must be at least 32 printable ASCII characters without spaces.')
  }
  if (config.databaseUrl === undefined && config.migrationDatabaseUrl !== undefined) {
    problems.push('MIGRATION_DATABASE_URL needs DATABASE_URL, which names the role that the service runs as.')
  }
  if (config.databaseUrl === undefined && config.workers > 1) {
    problems.push('WORKERS needs DATABASE_URL: the embedded database is for one process.')
  }
  if (config.metricsPort !== undefined && config.metricsPort !== 0 && config.metricsPort === port) {
    problems.push('METRICS_PORT must be another port than PORT.')
  }
  if (config.databaseUrl !== undefined && config.keyEncryptionKeys.length === 0) {
    problems.push('KEY_ENCRYPTION_KEY is required with DATABASE_URL: 32 random bytes in base64.')
  }
  if (problems.length > 0) throw new ConfigError([...new Set(problems), ...nearMisses(env)])
  return { config, warnings: nearMisses(env) }
}

/**
 * Reads what such a command needs and nothing else: a job that it runs in may have variables of the same names for
 * something else. Throws `ConfigError` with every mistake at once.
 */
export function readClientConfig(env: Environment): ClientConfig {
  const problems: string[] = []
  const secret = (name: string) => readSecret(env, name, problems)
  const config: ClientConfig = {
    token: secret('ACCESS_TOKEN') ?? secret('ADMIN_TOKEN'),
    identityDomain: env.IDENTITY_DOMAIN || DEFAULT_DOMAIN,
    opaBin: env.OPA_BIN || undefined,
    tokenLifetimeSeconds: DEFAULT_LIFETIME_SECONDS,
  }
  checkDomain(config.identityDomain, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function checkDomain(domain: string, problems: string[]): void {
  if (!DOMAIN.test(domain)) problems.push('IDENTITY_DOMAIN must be a domain name in lower case.')
}

function readSecret(env: Environment, name: string, problems: string[]): string | undefined {
  const file = env[`${name}_FILE`] || undefined
  const direct = env[name] || undefined
  if (file === undefined) return direct
  if (direct !== undefined) problems.push(`${name} and ${name}_FILE are both set: keep one.`)
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (text === '') problems.push(`${name}_FILE names an empty file.`)
    return text || undefined
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read.`)
    return undefined
  }
}

function readInteger<Fallback extends number | undefined>(
  name: string,
  text: string | undefined,
  fallback: Fallback,
  min: number,
  max: number,
  problems: string[],
): number | Fallback {
  if (text === undefined) return fallback
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  problems.push(`${name} must be a whole number from ${min} to ${max}.`)
  return fallback
}

function readBlockFindings(text: string | undefined, problems: string[]): Config['blockFindings'] {
  const grade = BLOCK_FINDINGS.find((known) => known === (text ?? 'none'))
  if (grade === undefined) problems.push(`BLOCK_FINDINGS must be one of ${BLOCK_FINDINGS.join(', ')}.`)
  return grade ?? 'none'
}

function readPublicUrl(text: string | undefined, port: number, problems: string[]): string {
  if (text === undefined) {
    if (port === 0) problems.push('PORT 0 (any free port) needs PUBLIC_URL.')
    return `http://localhost:${port}`
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  const loopback = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && loopback))) {
    problems.push('PUBLIC_URL must be an https URL (http only for localhost).')
  } else if (url.username || url.password || text.includes('?') || text.includes('#')) {
    problems.push('PUBLIC_URL must be without user, password, query and fragment.')
  } else if (text.endsWith('/')) {
    problems.push('PUBLIC_URL must not end with a slash: it is compared to the letter in every token.')
  }
  return text
}

function readOtlpEndpoint(text: string | undefined, problems: string[]): string | undefined {
  if (text !== undefined && !(/^https?:\/\//.test(text) && URL.canParse(text))) {
    problems.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) URL.')
  }
  return text
}

function readDatabaseUrl(name: string, text: string | undefined, problems: string[]): string | undefined {
  if (text === undefined) return undefined
  // The URL holds a password, so it is never shown.
  // A second @ would make a part of the password the host, which errors tell.
  const isOneUrl = /^postgres(ql)?:\/\/[^@]*(@[^@]*)?$/.test(text) && URL.canParse(text)
  if (!isOneUrl)
    problems.push(`${name} must be a postgresql:// URL (special characters in a password percent-encoded).`)
  return text
}

function readKeyEncryptionKeys(text: string | undefined, problems: string[]): readonly Uint8Array[] {
  if (text === undefined) return []
  return text.split(',').map((part) => {
    const key = Buffer.from(part.trim(), 'base64')
    if (key.length !== 32 || key.toString('base64') !== part.trim()) {
      problems.push('KEY_ENCRYPTION_KEY must be 32 bytes in base64 (several separated by commas).')
    }
    return key
  })
}

function readPrivateIssuers(text: string | undefined, problems: string[]): readonly string[] {
  const urls = (text ?? '')
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '')
  for (const url of urls) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      problems.push(`PRIVATE_ISSUERS: '${url}' is not an http(s) URL.`)
  }
  return urls
}

function readTrustProxy(text: string | undefined, problems: string[]): number | readonly string[] {
  if (text === undefined) return 0
  if (/^\d{1,2}$/.test(text)) return Number(text)
  const ranges = text.split(',').map((range) => range.trim())
  if (!ranges.every(isAddressRange)) {
    problems.push('TRUST_PROXY must be a number of proxies, or addresses and CIDRs separated by commas.')
  }
  return ranges
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

/** A variable that is nearly one of ours is nearly always meant to be one, and would be ignored in silence. */
function nearMisses(env: Environment): readonly string[] {
  const warnings: string[] = []
  for (const name of Object.keys(env)) {
    if (NAMES.includes(name)) continue
    const meant = NAMES.find((known) => isNearly(name, known))
    if (meant !== undefined) warnings.push(`${name} is not a setting and is ignored; did you mean ${meant}?`)
  }
  return warnings
}

function isNearly(name: string, known: string): boolean {
  const folded = name.toUpperCase()
  if (folded === known || folded === `CLAIMGATE_${known}`) return true
  // One slip in a short name, two in a long one: HOME is no HOST.
  return distance(folded, known) <= (known.length < 8 ? 1 : 2)
}
