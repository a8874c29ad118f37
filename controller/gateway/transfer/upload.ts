/**
 * A body that is worked on while it comes. It may take longer than a request otherwise may, as long as it goes on: who is silent for too
 * long is cut off.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Connections on which the time for a whole request does not count. */
export interface Patience {
  grant(socket: Duplex): void
  withdraw(socket: Duplex): void
  has(socket: Duplex): boolean
}

export function createPatience(): Patience {
  const granted = new WeakSet<Duplex>()
  return {
    grant: (socket) => void granted.add(socket),
    withdraw: (socket) => void granted.delete(socket),
    has: (socket) => granted.has(socket),
  }
}

export interface Upload {
  bytes(): AsyncIterable<Buffer>
  readonly received: number
  /** What still comes is thrown away. */
  end(): void
}

const SILENCE_MS = 30_000

export function createUpload(request: IncomingMessage, patience: Patience): Upload {
  const { socket } = request
  let received = 0
  patience.grant(socket)
  return {
    async *bytes() {
      const pieces = request.iterator({ destroyOnReturn: false })
      for (;;) {
        // Only while something is waited for: SQ's time is not the client's.
        const silence = setTimeout(() => request.destroy(), SILENCE_MS)
        const next = await pieces.next().finally(() => clearTimeout(silence))
        if (next.done === true) return
        const piece = next.value as Buffer
        received += piece.length
        yield piece
      }
    },
    get received() {
      return received
    },
    end() {
      patience.withdraw(socket)
      if (!request.destroyed) request.resume()
    },
  }
}
