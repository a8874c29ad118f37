/**
 * The gateway's program: `node controller/gateway/main.ts --home HOME --host H --port P`. Started by the controller, which it
 * outlives, or on its own. The only file here that touches process. Takes no secret.
 */
import module from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Gateway } from './gateway.ts'

// Reading TypeScript takes most of a start: kept for the next one, beside the packages.
module.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tenantry', import.meta.url)))
const [{ pino }, { startGateway }, { gatewayVersion }, { createClientAddress }] = await Promise.all([import('pino'), import('./gateway.ts'), import('./version.ts'), import('./client-address.ts')])

const USAGE = 'usage: node controller/gateway/main.ts --home HOME [--host 127.0.0.1] [--port 8080] [--workers N] [--read-cache-mb 64] [--log-level info]'

const MOST_WORKERS_BY_ITSELF = 8

interface Arguments {
  readonly home: string
  readonly host: string
  readonly port: number
  readonly workers: number
  readonly readCacheMb: number
  readonly trustedProxies: readonly string[]
  readonly logLevel: string
}

function readArguments(): Arguments {
  const options = { home: { type: 'string' }, host: { type: 'string' }, port: { type: 'string' }, workers: { type: 'string' }, 'read-cache-mb': { type: 'string' }, 'trusted-proxies': { type: 'string' }, 'log-level': { type: 'string' } } as const
  const { values } = parseArgs({ options, strict: true })
  const home = values.home ?? process.env['TENANTRY_HOME']
  const portText = values.port ?? process.env['PORT'] ?? '8080'
  if (home === undefined || home === '') throw new Error('--home is missing: the folder that holds gateway/snapshot')
  if (!/^[0-9]{1,5}$/.test(portText) || Number(portText) > 65_535) throw new Error(`--port must be a number from 0 to 65535, not "${portText}"`)
  const workersText = values.workers ?? process.env['GATEWAY_WORKERS'] ?? String(Math.min(availableParallelism(), MOST_WORKERS_BY_ITSELF))
  if (!/^[0-9]{1,2}$/.test(workersText) || Number(workersText) < 1 || Number(workersText) > 64) throw new Error(`--workers must be a number from 1 to 64, not "${workersText}"`)
  const readCacheText = values['read-cache-mb'] ?? process.env['READ_CACHE_MB'] ?? '64'
  if (!/^[0-9]{1,5}$/.test(readCacheText)) throw new Error(`--read-cache-mb must be a number from 0, which keeps nothing, to 99999, not "${readCacheText}"`)
  const trustedProxies = (values['trusted-proxies'] ?? process.env['TRUSTED_PROXIES'] ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '')
  createClientAddress(trustedProxies)
  return {
    home,
    host: values.host ?? process.env['HOST'] ?? '127.0.0.1',
    port: Number(portText),
    workers: Number(workersText),
    readCacheMb: Number(readCacheText),
    trustedProxies,
    logLevel: values['log-level'] ?? process.env['LOG_LEVEL'] ?? 'info',
  }
}

async function main(): Promise<void> {
  let settings: Arguments
  try {
    settings = readArguments()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`)
    process.exitCode = 2
    return
  }
  const { home, host, port, workers, readCacheMb, trustedProxies, logLevel } = settings
  const log = pino({ level: logLevel, base: { program: 'gateway', pid: process.pid } })
  let gateway: Gateway | undefined
  let stopping = false
  const stop = (): void => {
    if (stopping || gateway === undefined) return
    stopping = true
    gateway.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the gateway did not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  // The terminal or controller that started it may go: that must not end the data path.
  process.on('SIGHUP', () => undefined)
  try {
    const idPrefix = crypto.randomUUID().slice(0, 8)
    gateway = await startGateway({ ...{ home, host, port, workers, settings: { readCacheBytes: readCacheMb * 1024 * 1024, trustedProxies } }, pid: process.pid, version: await gatewayVersion(), idPrefix, now: () => new Date(), steadyMs, log, onStop: stop })
    module.flushCompileCache()
  } catch (error) {
    log.error({ err: error }, 'the gateway could not start')
    process.exitCode = 1
  }
}

function steadyMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

await main()
