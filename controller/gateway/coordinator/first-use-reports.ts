/**
 * Tells the controller once that a new tenant's key did its first successful request: the last step of a purchase's timeline. Best
 * effort and off the request's way; when all tries fail, the tenant's next success begins again.
 */
import { request } from 'node:http'
import type { Log } from '../log.ts'

const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
const MAX_PENDING = 10_000
const ANSWER_TIMEOUT_MS = 5_000

export interface FirstUseReports {
  succeeded(tenant: string): void
  close(): void
}

export function createFirstUseReports({ socketPath, now, log }: { readonly socketPath: string; readonly now: () => Date; readonly log: Log }): FirstUseReports {
  const reported = new Set<string>()
  const timers = new Set<NodeJS.Timeout>()
  let pending = 0

  function giveUp(tenant: string): void {
    pending--
    reported.delete(tenant)
    log.warn({ tenant }, 'a first use could not be reported: the tenant\'s next request tries again')
  }

  function report(tenant: string, at: string, tries: number): void {
    post(socketPath, JSON.stringify({ tenant, at }), (delivered) => {
      const delay = RETRY_MS[tries]
      if (delivered) pending--
      else if (delay === undefined) giveUp(tenant)
      else later(delay, () => report(tenant, at, tries + 1))
    })
  }

  function later(delayMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, delayMs).unref()
    timers.add(timer)
  }

  return {
    succeeded(tenant) {
      if (reported.has(tenant) || pending >= MAX_PENDING) return
      reported.add(tenant)
      pending++
      report(tenant, now().toISOString(), 0)
    },
    close() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

function post(socketPath: string, body: string, done: (delivered: boolean) => void): void {
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Host: 'controller' }
  const outgoing = request({ socketPath, method: 'POST', path: '/internal/first-use', headers, agent: false, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
    answer.resume()
    done(answer.statusCode! < 300)
  })
  outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')))
  outgoing.on('error', () => done(false))
  outgoing.end(body)
}
