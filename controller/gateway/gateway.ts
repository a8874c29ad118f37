/**
 * The gateway put together: the coordinator, which owns what there is once, and its workers, which share the public port. Their order of
 * start and stop. No arguments are parsed here, and nothing is global.
 */
import { mkdir } from 'node:fs/promises'
import { createControlSocket } from './control-socket.ts'
import { createCoordinator, type Coordinator } from './coordinator/coordinator.ts'
import { claimPort } from './coordinator/claim-port.ts'
import type { Log } from './log.ts'
import { DEFAULT_SETTINGS, type GatewaySettings } from './settings.ts'
import { controlSocketPath, routesFolder } from './sockets.ts'
import { GATEWAY_PROTOCOL } from './version.ts'
import type { StartWorker } from './worker.ts'

export interface GatewayOptions {
  readonly home: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Threads that serve, at least one. */
  readonly workers: number
  /** For tests: serves in this thread instead. Handed in, so that a program with threads need not load what only they run. */
  readonly serveHere?: StartWorker
  readonly pid: number
  readonly version: string
  /** Begins every request id of this process. */
  readonly idPrefix: string
  readonly settings?: Partial<GatewaySettings>
  readonly now: () => Date
  /** Milliseconds of a clock that never jumps and is the same in all threads. */
  readonly steadyMs: () => number
  readonly log: Log
  /** Somebody asked for the end over the control socket: call `stop`. */
  readonly onStop: () => void
}

export interface Gateway {
  readonly port: number
  /** Drains and closes everything. */
  stop(): Promise<void>
}

const STOP_MARGIN_MS = 2_000
const BYTES_PER_MB = 1024 * 1024

/** Resolves when the public port and the control socket answer. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { home, host, pid, version, workers, now, log } = options
  const settings = { ...DEFAULT_SETTINGS, ...options.settings }
  const startedAt = now().toISOString()
  await mkdir(routesFolder(home), { recursive: true, mode: 0o700 })
  // Workers listen beside each other, so none of them would notice another program on the port.
  let port = options.serveHere !== undefined ? options.port : await claimPort(host, options.port)
  const coordinator = createCoordinator({ ...options, settings })

  const state = async (): Promise<object> => {
    const { routes, requests } = await coordinator.present()
    return { pid, version, protocol: GATEWAY_PROTOCOL, host, port, startedAt, workers, readCacheMb: settings.readCacheBytes / BYTES_PER_MB, trustedProxies: settings.trustedProxies.join(','), ...routes, requests }
  }
  const control = createControlSocket({ path: controlSocketPath(home), state, metricsText: coordinator.metricsText, onStop: options.onStop })

  try {
    port = await coordinator.listen(host, port)
    await control.listen()
  } catch (error) {
    await stopCoordinator(coordinator, settings)
    throw error
  }
  log.info({ host, port, version, workers }, 'the gateway listens')
  return {
    port,
    async stop() {
      log.info('the gateway drains')
      await Promise.all([stopCoordinator(coordinator, settings), control.close()])
      log.info('the gateway has stopped')
    },
  }
}

function stopCoordinator(coordinator: Coordinator, { drainMs }: GatewaySettings): Promise<void> {
  return coordinator.stop(drainMs + STOP_MARGIN_MS)
}
