/** An answer to a call of the gateway's own, whole in memory, as far as there is room for it. */
import type { ByteBudget } from './byte-budget.ts'
import type { AnswerWriter, Destination } from './destination.ts'

export interface Collected extends Destination {
  readonly body: Buffer
  /** It was given up because there was no room for it. */
  readonly full: boolean
  release(): void
}

export function collect(room: ByteBudget, signal: AbortSignal | undefined): Collected {
  let pieces: Buffer[] = []
  let held = 0
  let full = false
  let giveUp: () => void = () => undefined
  const release = (): void => {
    room.give(held)
    held = 0
  }

  function writer(): AnswerWriter {
    let status = 0
    let bodyBytes = 0
    release()
    pieces = []
    return {
      head: (head) => void (status = head.status),
      body(bytes) {
        if (full || bytes.length === 0) return true
        bodyBytes += bytes.length
        if (room.tryTake(bytes.length)) {
          held += bytes.length
          pieces.push(Buffer.from(bytes))
        } else {
          full = true
          // Not from within the parser that calls this.
          queueMicrotask(() => giveUp())
        }
        return true
      },
      get status() {
        return status
      },
      get bodyBytes() {
        return bodyBytes
      },
    }
  }

  return {
    writer,
    onRoom: () => undefined,
    onGone(gone) {
      giveUp = gone
      signal?.addEventListener('abort', gone, { once: true })
    },
    cutOff: () => undefined,
    get body() {
      return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    },
    get full() {
      return full
    },
    release,
  }
}

/** Room for so many bytes of one answer. */
export function roomFor(bytes: number): ByteBudget {
  let left = bytes
  return {
    tryTake(wanted) {
      if (wanted > left) return false
      left -= wanted
      return true
    },
    give: (given) => void (left += given),
  }
}
