/**
 * Holds back the answers of those who are refused again and again, so that a flood of refusals costs nobody else the processor: the
 * first ones go out at once, then so many a second. A client that obeys `Retry-After` never notices.
 */
import type { ServerResponse } from 'node:http'
import { takeOne, type Rate } from '../core/gcra.ts'

export interface Tarpit {
  /** Calls `answer` now or later; never where the client has gone by then. `whom`: the tenant, or the address where there is none. */
  hold(whom: string, response: ServerResponse, answer: () => void): void
  /** From now on nobody is held any more. */
  release(): void
}

/** Of one tenant, or one address, by each worker. */
const AT_ONCE: Rate = { perSecond: 50, burst: 50 }
const LONGEST_MS = 2_000
const MOST_KNOWN = 10_000
const TICK_MS = 20

export function createTarpit(nowMs: () => number): Tarpit {
  const states = new Map<string, number>()
  /** By the tick that ends their waiting: a timer for each would cost more than an answer. */
  const held = new Map<number, Set<() => void>>()
  let timer: NodeJS.Timeout | undefined
  let released = false

  function answerDue(upTo: number): void {
    for (const [tick, answers] of held) {
      if (tick > upTo) continue
      held.delete(tick)
      for (const answer of answers) answer()
    }
    if (held.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  /** How long the answer waits: until it would have its turn, but not for ever. */
  function waitOf(whom: string): number {
    const now = nowMs()
    const state = states.get(whom) ?? 0
    if (states.size >= MOST_KNOWN) states.clear()
    const taken = takeOne(state, now, AT_ONCE)
    if (taken.kind === 'taken') {
      states.set(whom, taken.state)
      return 0
    }
    const waitMs = Math.min(taken.waitMs, LONGEST_MS)
    if (waitMs < LONGEST_MS) states.set(whom, state + 1000 / AT_ONCE.perSecond)
    return waitMs
  }

  return {
    hold(whom, response, answer) {
      const waitMs = released ? 0 : waitOf(whom)
      if (waitMs === 0) return answer()
      const tick = Math.ceil((nowMs() + waitMs) / TICK_MS)
      const answers = held.get(tick) ?? new Set()
      held.set(tick, answers.add(answer))
      response.on('close', () => answers.delete(answer))
      timer ??= setInterval(() => answerDue(nowMs() / TICK_MS), TICK_MS)
    },
    release() {
      released = true
      answerDue(Infinity)
    },
  }
}
