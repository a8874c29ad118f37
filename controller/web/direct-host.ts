/** Whether a server that is for its own machine is asked for as such. A name that is made to point here (DNS rebinding) would let any page in a browser read it. */
import { isIP } from 'node:net'

/** An IP address or localhost, with a port or without. */
export function isDirectHost(host = ''): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '').toLowerCase()
  return isIP(name) !== 0 || name === 'localhost'
}
