/** When the loop looks: soon after a poke, again after the time that the last look asked for, one look at a time. Many pokes are one look. */

export interface Pacemaker {
  /** Looks soon; during a look, once more after it. */
  poke(): void
  /** Resolves after a whole look that began after this call. */
  beat(): Promise<void>
  close(): Promise<void>
}

/** `look` answers in how many milliseconds to look again. It must not reject. */
export function createPacemaker(look: () => Promise<number>): Pacemaker {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function beat(): Promise<void> {
    if (closed) return Promise.resolve()
    if (running === undefined) return start()
    next ??= running.then(() => {
      next = undefined
      return closed ? undefined : start()
    })
    return next
  }

  function start(): Promise<void> {
    clearTimeout(timer)
    running = look().then((delayMs) => {
      running = undefined
      if (!closed && next === undefined) timer = setTimeout(() => void beat(), delayMs)
    })
    return running
  }

  return {
    poke: () => void beat(),
    beat,
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
