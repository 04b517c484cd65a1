import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { OPA_VERSION, opaBinary } from '../../src/policy/opa-binary.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { startCluster } from '../support/postgres.ts'
import { startServiceProcess } from '../support/service-process.ts'

const ROOT = join(import.meta.dirname, '../..')
const NOBODY = 65_534
const containerfile = readFileSync(join(ROOT, 'Containerfile'), 'utf8')
const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
/** What the image takes from the project's folder. */
const copied = [...containerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
  names.split(' '),
)
/** What of it the image keeps. */
const kept = [
  ...(containerfile.split(/^FROM /m).at(-1) ?? '').matchAll(/^COPY (?!--from)(.+) \S+$/gm),
].flatMap(([, names = '']) => names.split(' '))

describe('the container image', () => {
  test('has the Node and the compiler that the project is tested with', () => {
    const images = [...containerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)

    const node = `docker.io/library/node:${packageJson.devDependencies.node}-slim`
    assert.deepEqual(images, [`docker.io/openpolicyagent/opa:${OPA_VERSION}-static`, node, node])
    assert.match(containerfile, new RegExp(`Version: ${OPA_VERSION.replaceAll('.', '\\.')}'`))
  })

  test('is built of what the ignore file lets through, and of nothing else', () => {
    const lines = readFileSync(join(ROOT, '.containerignore'), 'utf8').trim().split('\n')

    assert.equal(lines[0], '*')
    assert.deepEqual(
      lines
        .slice(1)
        .map((line) => line.replace(/^!/, ''))
        .toSorted(),
      [...new Set(copied)].toSorted(),
    )
  })

  test('starts as npm start does: with the same variables for malloc, and the same flags of V8', () => {
    const [variables = '', command = ''] = packageJson.scripts.start.split(' exec ')
    const [, entrypoint = ''] = /^ENTRYPOINT (.+)$/m.exec(containerfile) ?? []

    // As lists: what is one word in the one and two in the other is one flag that Node does not know.
    assert.deepEqual([...JSON.parse(entrypoint), 'serve'], command.split(' '))
    assert.ok(containerfile.split('\n').includes(`ENV ${variables}`), variables)
  })

  test('has the command on its path, as jobs of a pipeline call it', () => {
    const [, target = ''] = /^RUN ln -s \/app\/(\S+) \/usr\/local\/bin\/claimgate$/m.exec(containerfile) ?? []

    assert.equal(target, packageJson.bin.claimgate)
    assert.ok(kept.includes(target.split('/')[0] ?? ''))
    assert.equal(statSync(join(ROOT, target)).mode & 0o111, 0o111)
  })

  test('runs as nobody in particular, and says whether it lives', () => {
    assert.match(containerfile, /^USER node$/m)
    assert.match(containerfile, /^HEALTHCHECK .*\n.*\/healthz/m)
  })

  test('its health check succeeds where the service answers and fails where it does not', async () => {
    const [, list = '[]'] = /^ {2}CMD (\[.*\])$/m.exec(containerfile) ?? []
    const [program, ...args] = JSON.parse(list) as string[]
    assert.equal(program, 'node')
    const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-health-'))
    copyEmbeddedTemplate(dataDir)
    const service = await startServiceProcess({
      DATA_DIR: dataDir,
      PORT: '0',
      PUBLIC_URL: 'http://localhost:1',
    })
    const env = { PORT: new URL(service.url).port }
    const check = () => execFileSync(process.execPath, args, { env, stdio: 'pipe' })
    try {
      check()
    } finally {
      await service.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }

    assert.throws(check)
  })
})

describe('what the image keeps and compose.yaml sets up', () => {
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-image-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  test('is enough to serve, migrate and compile, as a user who may write to /tmp alone, with two roles', async (t) => {
    const cluster = await startCluster()
    if (cluster === undefined) return t.skip('PostgreSQL is not on this machine')
    t.after(() => cluster.stop())
    for (const name of [...kept, 'deploy'])
      cpSync(join(ROOT, name), join(directory, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    chmodSync(directory, 0o755)
    const { hostname, port } = new URL(cluster.url)
    const sh = (script: string, env = {}) =>
      execFileSync('sh', [join(directory, 'deploy', script)], { env: { PATH: process.env.PATH, ...env } })
    const secret = (name: string) => readFileSync(join(directory, 'secrets', name), 'utf8')
    sh('make-secrets.sh')
    const first = secret('database-url')
    sh('make-secrets.sh')
    sh('create-roles.sh', { SECRETS_DIR: join(directory, 'secrets'), PGHOST: hostname, PGPORT: port })
    assert.equal(secret('database-url'), first, 'secrets that are there stay')
    assert.equal(statSync(join(directory, 'secrets')).mode & 0o777, 0o700)
    const urlOf = (name: string) => secret(name).trim().replace('@database/', `@${hostname}:${port}/`)
    const isRoot = process.getuid?.() === 0
    const dataDir = join(directory, 'must-not-be-made')

    const service = await startServiceProcess(
      {
        PORT: '0',
        PUBLIC_URL: 'http://localhost:8080',
        OPA_BIN: opaBinary(undefined),
        DATA_DIR: dataDir,
        DATABASE_URL: urlOf('database-url'),
        MIGRATION_DATABASE_URL: urlOf('migration-database-url'),
        ADMIN_TOKEN: secret('admin-token').trim(),
        KEY_ENCRYPTION_KEY: secret('key-encryption-key').trim(),
      },
      { main: join(directory, 'src/main.ts'), ...(isRoot && { uid: NOBODY }) },
    )
    try {
      const created = await fetch(
        `${service.url}/v1/workspaces/default/workloadIdentities?workloadIdentityId=x`,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${secret('admin-token').trim()}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({
            workloadIdentityConfig: {
              providerType: 'GITLAB',
              issuerUrl: 'https://gitlab.com',
              rules: [{ group: 'acme' }],
            },
          }),
        },
      )

      assert.equal(created.status, 200, await created.text())
      assert.equal((await fetch(`${service.url}/readyz`)).status, 200)
      assert.ok(!service.lines.some((line) => line.includes('could change recorded decisions')))
    } finally {
      assert.equal(await service.stop(), 0)
    }
    assert.equal(existsSync(dataDir), false)
  })
})

describe('compose.yaml', () => {
  // A package that the compiled policies' runtime brings along.
  const { parse } = createRequire(createRequire(import.meta.url).resolve('@open-policy-agent/opa-wasm'))(
    'yaml',
  )
  const compose = parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'))

  test('every container is read-only, without capabilities, and says whether it is well', () => {
    assert.deepEqual(Object.keys(compose.services), ['claimgate', 'database'])
    for (const service of Object.values<Record<string, unknown>>(compose.services)) {
      assert.equal(service.read_only, true)
      assert.deepEqual(service.cap_drop, ['ALL'])
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'])
    }
    assert.ok(compose.services.database.healthcheck.test.includes('pg_isready'))
    assert.equal(compose.services.claimgate.depends_on.database.condition, 'service_healthy')
  })

  test('every secret is a file that make-secrets.sh makes, and is used', () => {
    const script = readFileSync(join(ROOT, 'deploy/make-secrets.sh'), 'utf8')
    const { claimgate, database } = compose.services
    const made = Object.keys(compose.secrets)

    assert.deepEqual([...new Set([...claimgate.secrets, ...database.secrets])].toSorted(), made.toSorted())
    for (const name of made) {
      assert.equal(compose.secrets[name].file, `./secrets/${name}`)
      assert.ok(script.includes(`keep ${name} `), name)
    }
    for (const [variable, value] of Object.entries<string>(claimgate.environment)) {
      if (!variable.endsWith('_FILE')) continue
      assert.ok(claimgate.secrets.includes(value.replace('/run/secrets/', '')), variable)
    }
  })

  test('the database is reached by the service alone, and the service through the proxy of its machine', () => {
    const { networks, services } = compose

    assert.equal(networks.database.internal, true)
    assert.deepEqual(services.database.networks, ['database'])
    assert.equal(services.database.ports, undefined)
    assert.deepEqual(services.claimgate.ports, ['127.0.0.1:8080:8080'])
  })
})
