/** Waiting for a condition, with a limit: tests never sleep for a guessed time. */

const POLL_MS = 10

/** Resolves with the first value of `condition` that is neither undefined nor false; rejects with the last error or `what` after `limitMs`. */
export async function waitFor<T>(condition: () => T | Promise<T>, what: string, limitMs = 10_000): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + limitMs
  let last: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
      last = undefined
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms for: ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
