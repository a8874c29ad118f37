/**
 * One worker: a listening server of its own and the whole way of a customer's request, put together. Several of them share one port.
 * What must be exact over all of them lies in shared memory or with the coordinator, at the other end of the line.
 */
import path from 'node:path'
import type { MessagePort } from 'node:worker_threads'
import { createAdmission, type Admission, type Places } from './admission.ts'
import { createAllowance } from './allowance.ts'
import { createByteBudget } from './byte-budget.ts'
import { createClearance } from './clearance.ts'
import { createControlPlane } from './control-plane.ts'
import { createDataPath } from './data-path.ts'
import { createFirstUse } from './first-use.ts'
import { createForwarder } from './forward.ts'
import { createIdentify } from './identify.ts'
import type { Log } from './log.ts'
import { createLine, type Line, type Post } from './messages.ts'
import { createMetering } from './metering.ts'
import { createMetrics } from './metrics.ts'
import { createHasPhext } from './names/has-phext.ts'
import { createNamedCall } from './names/named-call.ts'
import { createNamedPassage } from './names/named-passage.ts'
import { createNames } from './names/names.ts'
import { createPublicServer, type PublicServer } from './public-server.ts'
import { createReadCache } from './read-cache.ts'
import { createReads } from './reads.ts'
import { createRouteReader, type RouteReader } from './route-reader.ts'
import type { GatewaySettings } from './settings.ts'
import type { SharedBuffers } from './shared/buffers.ts'
import { createFailedAttempts } from './shared/failed-attempts.ts'
import { createKeySlots } from './shared/key-slots.ts'
import { createPhextVersions } from './shared/phext-versions.ts'
import { createTenantSlots } from './shared/tenant-slots.ts'
import { routesFolder, webSocketPath } from './sockets.ts'
import { createSqCaller } from './sq-caller.ts'
import { createStorageGuard } from './storage-guard.ts'
import { createTallies } from './tallies.ts'
import { createPhextNames } from './transfer/phext-names.ts'
import { createSpools } from './transfer/spool.ts'
import { createTransferTurn } from './transfer/transfers.ts'
import { createPatience } from './transfer/upload.ts'
import { createTarpit, type Tarpit } from './tarpit.ts'
import { createTokens } from './tokens.ts'
import { createTurns } from './turns.ts'
import { usageAsked, usageReport } from './usage-report.ts'

/** What a worker is made from: plain data, so that it can go to another thread. */
export interface WorkerPlan {
  readonly home: string
  readonly version: string
  /** Begins every request id of this worker. */
  readonly idPrefix: string
  readonly settings: GatewaySettings
  /** How many share the machine with it, itself included. */
  readonly workers: number
  readonly buffers: SharedBuffers
  /** Its own in the count of writes under way. */
  readonly lane: number
  /** For hashes that nobody outside can foresee; the same for all workers. */
  readonly salt: string
}

export interface WorkerOptions {
  readonly plan: WorkerPlan
  readonly port: MessagePort
  readonly now: () => Date
  /** Milliseconds of a clock that never jumps and is the same in all threads. */
  readonly steadyMs: () => number
  /** Where it may be written from this thread; otherwise it goes over the line. */
  readonly log?: Log
}

export type StartWorker = (options: WorkerOptions) => void

/** Reads the routes and waits to be told where to listen. Ends when it was told to drain. */
export function startWorker(options: WorkerOptions): void {
  const line = createLine(options.port)
  const log = options.log ?? createLineLog(line)
  const parts = composeWorker(options, line, log)
  const { routes, server, tarpit, admission, post } = parts
  const started = routes.start()
  const posting = setInterval(() => line.send({ kind: 'posted', post: post() }), options.plan.settings.usageFlushMs).unref()

  async function listen(host: string, port: number, beside: boolean): Promise<void> {
    try {
      await started
      line.send({ kind: 'listens', port: await server.listen(host, port, beside) })
    } catch (error) {
      line.send({ kind: 'failed', message: (error as Error).message })
    }
  }

  async function drain(): Promise<void> {
    tarpit.release()
    await server.drain()
    admission.close()
    await routes.close()
    clearInterval(posting)
    line.send({ kind: 'posted', post: post() })
    line.send({ kind: 'drained' })
    line.close()
  }

  line.onMessage((message) => {
    switch (message.kind) {
      case 'listen':
        return void listen(message.host, message.port, message.beside)
      case 'post':
        line.send({ kind: 'posted', post: post() })
        return line.send({ kind: 'all-posted', number: message.number })
      case 'drain':
        return void drain()
    }
  })
}

interface WorkerParts {
  readonly routes: RouteReader
  readonly server: PublicServer
  readonly tarpit: Tarpit
  readonly admission: Admission
  readonly post: () => Post
}

function composeWorker({ plan, now, steadyMs }: WorkerOptions, line: Line, log: Log): WorkerParts {
  const { home, workers, buffers } = plan
  const settings = shareOf(plan.settings, workers)
  const nowMs = (): number => now().getTime()
  const routes = createRouteReader(routesFolder(home), { log })
  const budget = createByteBudget(settings.bufferBytes)
  const admission = createAdmission(placesOf(settings), () => performance.now())
  const versions = createPhextVersions(buffers.phextVersions, plan.lane)
  const readCache = createReadCache({ bytes: settings.readCacheBytes, versions })
  const metrics = createMetrics()
  const controlPlane = createControlPlane({
    socketPath: webSocketPath(home),
    trustedProxies: settings.trustedProxies,
    answerTimeoutMs: settings.controlAnswerTimeoutMs,
    log,
    onAnswer: (status) => metrics.request('control-plane', status),
    onRefusal: (refusal) => metrics.refusal(refusal.code),
  })
  const tallies = createTallies(nowMs)
  const slots = createTenantSlots(buffers.tenantSlots, () => log.error('there are more tenants than the limits have room for: each worker counts for itself'))
  const keySlots = createKeySlots(buffers.keySlots, () => log.error('there are more keys with limits of their own than there is room for: each worker counts for itself'))
  const allowance = createAllowance({ slots, keySlots, periods: tallies.periods, nowMs, steadyMs })
  const storage = createStorageGuard({ line, log })
  const metering = createMetering({ tallies, allowance, metrics, now })
  const firstUse = createFirstUse({ send: (tenant) => line.send({ kind: 'first-use', tenant }), steadyMs })
  const forward = createForwarder({ admission, settings, log, now: () => performance.now() })
  const clearance = createClearance({ routes, storage, versions })
  const caller = createSqCaller({ clearance, forward, budget })
  const hasPhext = createHasPhext(home)
  const names = createNames({ caller, versions, hasPhext })
  const reads = createReads(readCache, metrics.read)
  const patience = createPatience()
  const tarpit = createTarpit(steadyMs)
  const turns = createTurns({ perTurn: settings.requestsPerTurn, longestLine: settings.queuePerTenant, nextTurn: setImmediate })
  const dataPath = createDataPath({
    ...{ routes, forward, budget, firstUse, metrics, settings, allowance, clearance, metering, tarpit, turns, controlPlane, log, now },
    ...{ caller, byName: createNamedPassage({ names, caller, expect: reads.expect }), named: createNamedCall({ names, caller }), hasPhext, version: plan.version, names: createPhextNames(home), turn: createTransferTurn(line), openSpool: createSpools(path.join(routesFolder(home), 'spool')), patience },
    reads,
    identify: createIdentify({ tokens: createTokens({ now, log }), failedAttempts: createFailedAttempts(buffers.failedAttempts, plan.salt, steadyMs) }),
    async usageReport(entry) {
      const figures = await line.ask('usage', usageAsked(entry.route, tallies.periods(nowMs())))
      return usageReport(entry, allowance.standing(entry), figures, routes.links, now())
    },
  })
  const server = createPublicServer({ dataPath, controlPlane, metrics, settings, patience, nextRequestId: requestIds(plan.idPrefix), now, log })

  const post = (): Post => {
    storage.tell()
    const { generation, applied, table, corruptLines } = routes
    return {
      ...tallies.take(),
      metrics: metrics.take(),
      gauges: { active: admission.active, waiting: admission.waiting, bufferedBytes: budget.held, keptBytes: readCache.bytes, keptEvictions: readCache.evictions },
      routes: { generation, applied, corruptLines, tenants: table?.tenants ?? 0, keys: table?.keys ?? 0 },
    }
  }
  return { routes, server, tarpit, admission, post }
}

/** What is bounded for the whole machine, and for an instance, is bounded for each worker by its part. */
function shareOf(settings: GatewaySettings, workers: number): GatewaySettings {
  const part = (whole: number, least = 1): number => (whole === 0 ? 0 : Math.max(least, Math.floor(whole / workers)))
  const { connectionsPerUpstream, queuePerUpstream, queuePerTenant, promptPerSq, connectionsPerTenant, bufferBytes, readCacheBytes, defaultBodyMb } = settings
  // Never so little that the largest body would not pass.
  const largestBodies = Math.min(bufferBytes, 2 * defaultBodyMb * 1024 * 1024)
  return {
    ...settings,
    ...{ connectionsPerUpstream: part(connectionsPerUpstream), connectionsPerTenant: part(connectionsPerTenant), promptPerSq: part(promptPerSq, 2) },
    ...{ queuePerUpstream: part(queuePerUpstream), queuePerTenant: part(queuePerTenant) },
    ...{ bufferBytes: part(bufferBytes, largestBodies), readCacheBytes: part(readCacheBytes) },
  }
}

function placesOf({ connectionsPerUpstream, connectionsPerTenant, promptPerSq, queuePerUpstream, queuePerTenant }: GatewaySettings): Places {
  return { connections: connectionsPerUpstream, connectionsPerTenant, prompt: promptPerSq, queue: queuePerUpstream, queuePerTenant }
}

function requestIds(prefix: string): () => string {
  let count = 0
  return () => `${prefix}-${(++count).toString(36)}`
}

/** An error crosses threads without its code and its class, so both are taken along as text. */
function createLineLog(line: Line): Log {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: unknown, message?: string) => {
    line.send({ kind: 'logged', level, ...(typeof fields === 'string' ? { fields: {}, message: fields } : { fields: plain(fields), message }) })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as Log
}

function plain(fields: unknown): unknown {
  const { err, ...rest } = fields as { err?: unknown }
  if (!(err instanceof Error)) return fields
  const { name, message, stack, code } = err as NodeJS.ErrnoException
  return { ...rest, err: { type: name, message, stack, code } }
}
