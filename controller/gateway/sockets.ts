/**
 * Where the gateway and the controller meet on one machine: unix sockets under HOME, so that neither needs a port or a token.
 * A socket's path may hold little more than 100 bytes, so a deep HOME gets short names under the system's temporary folder.
 */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'

const LONGEST_PATH_BYTES = 100

/** The gateway's own socket: state, metrics, stop. Made 0600 by the gateway. */
export function controlSocketPath(home: string): string {
  return socketPath(home, path.join('gateway', 'control.sock'))
}

/** The controller's web socket: site, webhooks, API, and the gateway's reports. Made 0600 by the controller. */
export function webSocketPath(home: string): string {
  return socketPath(home, 'web.sock')
}

/** The folder in which the controller writes routes for the gateway. */
export function routesFolder(home: string): string {
  return path.join(home, 'gateway')
}

function socketPath(home: string, name: string): string {
  const full = path.resolve(home, name)
  if (Buffer.byteLength(full) <= LONGEST_PATH_BYTES) return full
  const digest = createHash('sha256').update(full).digest('hex').slice(0, 24)
  return path.join(tmpdir(), `tenantry-${digest}.sock`)
}
