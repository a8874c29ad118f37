/**
 * The bundled SQ, for machines without the real one: the same command line, file, requests, answers and phext files as `sq` 0.6.0.
 * It differs where that is safer: it binds 127.0.0.1 only, writes files beside and renames them, makes no `.sq` folder, never logs a token,
 * refuses writes beyond coordinate 999 (400), phexts above 128 MiB or 500,000 scrolls and as many parts in a body (413), more requests at once
 * than fit in memory (503), and names with `..`, `/` or `\` also without `--data-dir`; `json-export` is in order. This file alone touches the process.
 */
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { SQ_VERSION } from './commands.ts'
import { parseCommandLine, parseConfig, type TenantMap } from './config.ts'
import { createPhextFiles, makeFolder, reasonOf } from './files.ts'
import { createSqServer } from './http/server.ts'
import { createLibrary } from './library.ts'
import { decodeStrict } from './rust-text.ts'
import { createOneService, createTenantsService, type Service } from './service.ts'

const ADDRESS = '127.0.0.1'
const log = (line: string) => console.error(line)
const files = createPhextFiles({ temporaryName: `.sq-${process.pid}.tmp`, log })

function stop(message: string, exitCode: number): never {
  log(message)
  process.exit(exitCode)
}

async function loadTenants(configPath: string): Promise<TenantMap> {
  const parsed = parseConfig(decodeStrict(await readFile(configPath)) ?? '')
  if (parsed.kind === 'invalid') throw new Error(`${configPath}: ${parsed.message}`)
  for (const { name, dataDir } of parsed.tenants.values()) {
    try {
      makeFolder(dataDir)
    } catch (error) {
      log(`making the data folder of tenant ${name} failed: ${reasonOf(error)}`)
    }
  }
  return parsed.tenants
}

/** At most one read runs and one waits: the waiting one sees everything that was written before it. */
function createReload(load: () => Promise<void>): () => void {
  let waiting = false
  let last = Promise.resolve()
  return () => {
    if (waiting) return
    waiting = true
    last = last.then(() => {
      waiting = false
      return load().catch((error: Error) => log(`reloading failed, the tenants stay as they were: ${error.message}`))
    })
  }
}

async function tenantsService(configPath: string): Promise<Service> {
  let tenants = await loadTenants(configPath).catch((error: Error) => stop(`Error: ${error.message}`, 1))
  console.log(`Loaded ${tenants.size} tenants from ${configPath}`)
  const reload = createReload(async () => {
    const before = tenants.size
    tenants = await loadTenants(configPath)
    console.log(`Config reloaded: ${tenants.size} tenants (was ${before})`)
  })
  return createTenantsService({ library: createLibrary({ keep: 'all', files }), tenants: () => tenants, reload })
}

function oneService(key: string | undefined, dataDir: string | undefined): Service {
  if (dataDir !== undefined) {
    try {
      makeFolder(dataDir)
    } catch (error) {
      stop(`Error: making the folder ${dataDir} failed: ${reasonOf(error)}`, 1)
    }
    console.log(`Tenant data directory: ${dataDir}`)
  }
  console.log(key === undefined ? 'No key: everybody on this machine may read and write' : 'Auth enabled')
  return createOneService({ library: createLibrary({ keep: 'last', files }), key, dataDir })
}

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2))
  if (command.kind === 'wrong') stop(command.message, 2)
  if (command.kind === 'version') {
    console.log(SQ_VERSION)
    return
  }
  const service = command.kind === 'tenants' ? await tenantsService(command.configPath) : oneService(command.key, command.dataDir)
  const server = createSqServer({ service, log })
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (!server.listening) stop(`Error: listening on ${ADDRESS}:${command.port} failed: ${error.code}`, 1)
    log(`accepting a connection failed: ${error.code}`)
  })
  server.listen(command.port, ADDRESS, 511, () => {
    const { port } = server.address() as AddressInfo
    console.log(`SQ v${SQ_VERSION} (bundled) listening on ${ADDRESS}:${port}, for this machine only`)
  })
  // Between two requests, so never in the middle of a file.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
}

await main()
