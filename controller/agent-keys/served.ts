/** Whether the gateway serves a key: asked at its public port, as a customer would, on a connection of its own each time, since each may come to another worker. */
import { request } from 'node:http'

export interface ServedOptions {
  readonly host: string
  /** Undefined while the gateway is not known yet. */
  readonly port: () => number | undefined
  readonly limitMs: number
}

/** Before each question: few of them, since a key that is not there yet counts as a failed attempt. */
const WAITS_MS = [15, 15, 20, 30, 50, 80, 120, 200, 300, 400, 500]
/** In a row, so that no worker is left that does not know the key. */
const AGREEING = 6
const TIMEOUT_MS = 2_000
/** Always answered for a good key, and counted for nobody. */
const PATH = '/api/usage'

export function createUntilServed({ host, port, limitMs }: ServedOptions): (key: string) => Promise<boolean> {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return async (key) => {
    const deadline = performance.now() + limitMs
    for (let at = 0, agreed = 0; performance.now() < deadline; ) {
      const known = port()
      if (known !== undefined && (await serves(address, known, key))) {
        if (++agreed === AGREEING) return true
        continue
      }
      agreed = 0
      await new Promise((resolve) => setTimeout(resolve, WAITS_MS[Math.min(at++, WAITS_MS.length - 1)]))
    }
    return false
  }
}

function serves(host: string, port: number, key: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path: PATH, method: 'HEAD', headers: { 'X-API-Key': key }, agent: false, timeout: TIMEOUT_MS }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
