/** The gateway put together: one listening process's parts and their order of start and stop. No arguments are parsed here, and nothing is global. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { createAccounting } from './accounting.ts'
import { createAdmission } from './admission.ts'
import { createByteBudget } from './byte-budget.ts'
import { createClearance } from './clearance.ts'
import { createControlPlane } from './control-plane.ts'
import { createControlSocket } from './control-socket.ts'
import { createDataPath } from './data-path.ts'
import { createFirstUse } from './first-use.ts'
import { createForwarder } from './forward.ts'
import type { Log } from './log.ts'
import { createIdentify } from './identify.ts'
import { createMetrics } from './metrics.ts'
import { createPublicServer } from './public-server.ts'
import { createReadCache } from './read-cache.ts'
import { createReads } from './reads.ts'
import { createRouteReader } from './route-reader.ts'
import { createPhextVersions, phextVersionsBuffer } from './shared/phext-versions.ts'
import { createFailedAttempts, failedAttemptsBuffer } from './shared/failed-attempts.ts'
import { DEFAULT_SETTINGS, type GatewaySettings } from './settings.ts'
import { controlSocketPath, routesFolder, webSocketPath } from './sockets.ts'
import { createSqCaller } from './sq-caller.ts'
import { createPhextNames } from './transfer/phext-names.ts'
import { createSpools } from './transfer/spool.ts'
import { createPatience } from './transfer/upload.ts'
import { createTokens } from './tokens.ts'
import { GATEWAY_PROTOCOL } from './version.ts'

export interface GatewayOptions {
  readonly home: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly pid: number
  readonly version: string
  /** Begins every request id of this process. */
  readonly idPrefix: string
  readonly settings?: Partial<GatewaySettings>
  readonly now: () => Date
  readonly log: Log
  /** Somebody asked for the end over the control socket: call `stop`. */
  readonly onStop: () => void
}

export interface Gateway {
  readonly port: number
  /** Drains and closes everything. */
  stop(): Promise<void>
}

/** Resolves when the public port and the control socket answer. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { home, host, pid, version, now, log } = options
  const settings = { ...DEFAULT_SETTINGS, ...options.settings }
  const startedAt = now().toISOString()
  const folder = routesFolder(home)
  await mkdir(folder, { recursive: true, mode: 0o700 })

  const routes = createRouteReader(folder, { log })
  const budget = createByteBudget(settings.bufferBytes)
  const admission = createAdmission({ connections: settings.connectionsPerUpstream, queue: settings.queuePerUpstream })
  const versions = createPhextVersions(phextVersionsBuffer())
  const readCache = createReadCache({ bytes: settings.readCacheBytes, versions })
  const metrics = createMetrics({
    tenants: () => routes.table?.tenants ?? 0,
    keys: () => routes.table?.keys ?? 0,
    applied: () => routes.applied,
    corruptLines: () => routes.corruptLines,
    active: () => admission.active,
    waiting: () => admission.waiting,
    bufferedBytes: () => budget.held,
    keptBytes: () => readCache.bytes,
    keptEvictions: () => readCache.evictions,
    storagesActive: () => accounting.storage.active,
    usageFailures: () => accounting.ledger.failures,
    usageFlushMs: () => accounting.ledger.lastFlushMs,
  })
  const accounting = createAccounting({ home, flushMs: settings.usageFlushMs, metrics, now, log })
  const { allowance, storage, metering } = accounting
  const firstUse = createFirstUse({ socketPath: webSocketPath(home), now, log })
  const forward = createForwarder({ admission, settings, log, now: () => performance.now() })
  const clearance = createClearance({ routes, storage, versions })
  const caller = createSqCaller({ clearance, forward, budget })
  const patience = createPatience()
  const dataPath = createDataPath({
    ...{ routes, forward, budget, firstUse, metrics, settings, allowance, clearance, metering, log, now },
    ...{ caller, named: caller.call, version, names: createPhextNames(home), openSpool: createSpools(path.join(folder, 'spool')), patience },
    reads: createReads(readCache, metrics.read),
    identify: createIdentify({ tokens: createTokens({ now, log }), failedAttempts: createFailedAttempts(failedAttemptsBuffer(), crypto.randomUUID(), () => performance.now()) }),
    usageReport: (entry) => accounting.usageReport(entry, routes.links),
  })
  const controlPlane = createControlPlane({
    socketPath: webSocketPath(home),
    answerTimeoutMs: settings.controlAnswerTimeoutMs,
    log,
    onAnswer: (status) => metrics.request('control-plane', status),
    onRefusal: (refusal) => metrics.refusal(refusal.code),
  })
  const server = createPublicServer({ dataPath, controlPlane, metrics, settings, patience, nextRequestId: requestIds(options.idPrefix), now, log })

  const state = (): object => {
    const { generation, applied, table, corruptLines } = routes
    const known = { generation, applied, corruptLines, tenants: table?.tenants ?? 0, keys: table?.keys ?? 0 }
    return { pid, version, protocol: GATEWAY_PROTOCOL, host, port, startedAt, ...known, requests: metrics.counts }
  }
  const control = createControlSocket({ path: controlSocketPath(home), state, metricsText: metrics.text, onStop: options.onStop })

  await routes.start()
  accounting.start()
  let port = options.port
  try {
    port = await server.listen(host, options.port)
    await control.listen()
  } catch (error) {
    await Promise.all([server.drain(), routes.close()])
    accounting.close()
    throw error
  }
  log.info({ host, port, version, generation: routes.generation, tenants: routes.table?.tenants ?? 0 }, 'the gateway listens')
  return {
    port,
    async stop() {
      log.info('the gateway drains')
      await Promise.all([server.drain(), control.close()])
      firstUse.close()
      await routes.close()
      accounting.close()
      log.info('the gateway has stopped')
    },
  }
}

function requestIds(prefix: string): () => string {
  let count = 0
  return () => `${prefix}-${(++count).toString(36)}`
}
