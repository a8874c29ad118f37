/** The connection to a container engine, and what every part of this adapter is given. */
import { Agent } from 'node:http'
import Docker from 'dockerode'

/** Structured: data first, a static message second. pino's loggers fit. */
export interface Log {
  info(data: object, message: string): void
  warn(data: object, message: string): void
}

export interface Engine {
  readonly docker: Docker
  readonly installation: string
  readonly now: () => Date
  readonly log: Log
}

const DEFAULT_SOCKET = '/var/run/docker.sock'
/** Enough for every worker of the executor; more than that only queues in the engine. */
const CONNECTIONS = 16

/** How long one request may take, its answer included: an engine that hangs must not hold its caller for ever. */
export interface TimeLimits {
  readonly readMs: number
  /** Stopping has the container's grace on top. */
  readonly changeMs: number
}

const TIME_LIMITS: TimeLimits = { readMs: 20_000, changeMs: 60_000 }

/**
 * `host` is written as in DOCKER_HOST: `unix:///path` or `tcp://name:port`; undefined means the local socket. No API version is
 * set, so that each engine speaks its own. Connections are kept, because one start takes about six requests.
 */
export function connectEngine(host: string | undefined, limits = TIME_LIMITS): Docker {
  if (host === undefined || host.startsWith('unix://')) return connect({ socketPath: host?.slice('unix://'.length) || DEFAULT_SOCKET }, limits)
  const address = URL.canParse(host) ? new URL(host) : undefined
  if (address === undefined || !/^(tcp|http):$/.test(address.protocol) || address.port === '') {
    throw new Error(`DOCKER_HOST is "${host}"; write unix:///var/run/docker.sock or tcp://HOST:PORT. For a remote engine forward its socket over SSH.`)
  }
  return connect({ protocol: 'http', host: address.hostname, port: Number(address.port) }, limits)
}

/** The agent is handed to every request, though the published types do not know it. */
function connect(options: Docker.DockerOptions, limits: TimeLimits): Docker {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const docker = new Docker({ ...options, agent } as Docker.DockerOptions)
  limitRequests(docker, limits)
  return docker
}

/** Every call of the client ends in `dial`; a request that brings a signal of its own, as the event stream does, keeps it. */
function limitRequests({ modem }: Docker, { readMs, changeMs }: TimeLimits): void {
  const dial = modem.dial.bind(modem)
  modem.dial = (request, done) => {
    // `t` is how long the engine itself waits for a container's end.
    const graceSeconds = Number(request.options?.['t'] ?? 0)
    const limitMs = request.method === 'GET' ? readMs : changeMs + graceSeconds * 1000
    dial({ ...request, abortSignal: request.abortSignal ?? AbortSignal.timeout(limitMs) }, done)
  }
}
