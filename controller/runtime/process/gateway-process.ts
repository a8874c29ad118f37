/**
 * The gateway as a program of its own: started detached, so that it outlives the controller, and found again by its control
 * socket. A gateway of another version is replaced; one that is gone is started again.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { backoffMs } from '../../core/backoff.ts'
import { controlSocketPath } from '../../gateway/sockets.ts'

export interface GatewayStatus {
  readonly pid: number
  readonly version: string
  readonly host: string
  readonly port: number
  readonly workers: number
  readonly readCacheMb: number
  readonly trustedProxies: string
}

export interface GatewayProcess {
  /** Makes sure that a gateway of this version runs; answers where. */
  ensure(): Promise<GatewayStatus & { readonly action: 'none' | 'adopted' | 'started' }>
  /** False where none ran. */
  stop(): Promise<boolean>
}

export interface GatewayProcessOptions {
  readonly home: string
  readonly host: string
  readonly port: number
  /** Undefined: as many as the gateway thinks right. */
  readonly workers: number | undefined
  /** Undefined: the gateway's own default. */
  readonly readCacheMb?: number | undefined
  readonly trustedProxies?: string | undefined
  readonly version: string
  /** The program: node and the gateway's entry point. */
  readonly command: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
}

/** Its end is seen at once; a machine that does much else may take long to read a hundred thousand routes. */
const STARTS_WITHIN_MS = 60_000
const STOPS_WITHIN_MS = 12_000
const POLL_MS = 10
/** There is one gateway: nobody else tries at the same time. */
const NO_JITTER = 1

export function createGatewayProcess(options: GatewayProcessOptions): GatewayProcess {
  const socket = controlSocketPath(options.home)
  let known: number | undefined
  /** Kept over restarts where any free port was asked for. */
  let lastPort = options.port
  let looking: ReturnType<typeof look> | undefined
  let failures = 0
  /** On the clock of `performance.now()`. */
  let notBefore = 0

  function ensure(): ReturnType<typeof look> {
    return (looking ??= look().finally(() => (looking = undefined)))
  }

  async function look(): Promise<GatewayStatus & { action: 'none' | 'adopted' | 'started' }> {
    const running = await ask(socket, 'GET', '/')
    if (running !== undefined && isAsWanted(running, options)) {
      const action = known === running.pid ? 'none' : 'adopted'
      known = running.pid
      lastPort = running.port
      return { ...running, action }
    }
    if (running !== undefined) await stop()
    const waitMs = notBefore - performance.now()
    if (waitMs > 0) throw new Error(`The gateway could not be started ${failures} times in a row; it is tried again in ${Math.ceil(waitMs / 1000)} s.`)
    const started = await start().catch((cause: unknown) => {
      notBefore = performance.now() + backoffMs(++failures, NO_JITTER)
      throw cause
    })
    failures = 0
    known = started.pid
    lastPort = started.port
    return { ...started, action: 'started' }
  }

  async function start(): Promise<GatewayStatus> {
    const folder = path.join(options.home, 'gateway')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const log = openSync(path.join(folder, 'gateway.log'), 'a', 0o600)
    const [program, ...first] = options.command
    const { workers, readCacheMb, trustedProxies = '' } = options
    const more = [...(workers === undefined ? [] : ['--workers', String(workers)]), ...(readCacheMb === undefined ? [] : ['--read-cache-mb', String(readCacheMb)]), ...(trustedProxies === '' ? [] : ['--trusted-proxies', trustedProxies])]
    const child = spawn(program, [...first, '--home', options.home, '--host', options.host, '--port', String(lastPort), ...more], { detached: true, stdio: ['ignore', log, log], env: options.environment })
    closeSync(log)
    child.unref()
    let ended: string | undefined
    child.once('error', (error) => (ended = error.message))
    child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`))
    const deadline = performance.now() + STARTS_WITHIN_MS
    while (ended === undefined && performance.now() < deadline) {
      const status = await ask(socket, 'GET', '/').catch(() => undefined)
      if (status !== undefined && status.pid === child.pid) return status
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    throw new Error(`The gateway does not start on ${options.host}:${options.port}: ${ended ?? 'it does not answer'}. Is the port in use? Look at ${path.join(folder, 'gateway.log')}, or set PORT.`)
  }

  async function stop(): Promise<boolean> {
    if ((await ask(socket, 'GET', '/')) === undefined) return false
    await ask(socket, 'POST', '/stop')
    const deadline = performance.now() + STOPS_WITHIN_MS
    while ((await ask(socket, 'GET', '/')) !== undefined && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    return true
  }

  return { ensure, stop }
}

function isAsWanted(running: GatewayStatus, { version, port, workers, readCacheMb, trustedProxies }: GatewayProcessOptions): boolean {
  const same = <T>(wanted: T | undefined, present: T): boolean => wanted === undefined || wanted === present
  return running.version === version && (port === 0 || running.port === port) && same(workers, running.workers) && same(readCacheMb, running.readCacheMb) && (trustedProxies ?? running.trustedProxies) === running.trustedProxies
}

/** Undefined where nobody listens. A gateway that is only slow is not taken for one that is gone: that throws. */
function ask(socketPath: string, method: string, path: string): Promise<GatewayStatus | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false, timeout: 2_000 }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => (text += part))
      answer.on('end', () => {
        try {
          resolve(JSON.parse(text) as GatewayStatus)
        } catch {
          resolve(undefined)
        }
      })
    })
    asked.on('timeout', () => {
      reject(new Error(`The gateway does not answer at ${socketPath}; it is asked again.`))
      asked.destroy()
    })
    asked.on('error', () => resolve(undefined))
    asked.end()
  })
}
