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

/**
 * `host` is written as in DOCKER_HOST: `unix:///path` or `tcp://name:port`; undefined means the local socket. No API version is
 * set, so that each engine speaks its own. Connections are kept, because one start takes about six requests.
 */
export function connectEngine(host: string | undefined): Docker {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  if (host === undefined || host.startsWith('unix://')) return connect({ socketPath: host?.slice('unix://'.length) || DEFAULT_SOCKET }, agent)
  const address = URL.canParse(host) ? new URL(host) : undefined
  if (address === undefined || !/^(tcp|http):$/.test(address.protocol) || address.port === '') {
    throw new Error(`DOCKER_HOST is "${host}"; write unix:///var/run/docker.sock or tcp://HOST:PORT. For a remote engine forward its socket over SSH.`)
  }
  return connect({ protocol: 'http', host: address.hostname, port: Number(address.port) }, agent)
}

/** The agent is handed to every request, though the published types do not know it. */
const connect = (options: Docker.DockerOptions, agent: Agent): Docker => new Docker({ ...options, agent } as Docker.DockerOptions)
