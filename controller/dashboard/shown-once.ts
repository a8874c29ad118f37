/** Who may see a new key's text: the session that made it, on the next page, once. In memory: after a restart it is not shown, and rotating makes another. */

export interface ShownOnce {
  allow(account: string, tenant: string, key: string): void
  /** True the first time, within ten minutes. */
  take(account: string, tenant: string, key: string): boolean
}

const LIFE_MS = 10 * 60_000
const MOST = 1_000

export function createShownOnce(now: () => Date): ShownOnce {
  const until = new Map<string, number>()
  const nameOf = (...parts: readonly string[]): string => parts.join('\n')
  return {
    allow(account, tenant, key) {
      until.set(nameOf(account, tenant, key), now().getTime() + LIFE_MS)
      if (until.size > MOST) until.delete(until.keys().next().value!)
    },
    take(account, tenant, key) {
      const name = nameOf(account, tenant, key)
      const end = until.get(name)
      until.delete(name)
      return end !== undefined && now().getTime() <= end
    },
  }
}
