/** From a signed webhook to a key that stores: one buyer at a time, and five hundred at once. Through the real program, real git and the SQ that is there. */
import { waitFor } from '../support/wait.ts'
import { createCustomers, createKeyReader, onGround, pause, type Customers, type Ground } from './ground.ts'
import { anchor, atMost, median, quantile, rounded, under, type Bench, type BenchResult } from './result.ts'

const WARM_UP = 5
const POLL_MS = 1

export const bench: Bench = async ({ short }) =>
  onGround({ tenants: 5 }, async (ground) => {
    const { port } = await ground.program.start()
    const customers = createCustomers(port)
    ground.atEnd(customers.close)
    return [...(await oneAtATime(ground, customers, short ? 10 : 100)), ...(await atOnce(ground, customers, short ? 50 : 500))]
  })

async function oneAtATime(ground: Ground, customers: Customers, purchases: number): Promise<BenchResult[]> {
  const { shop, program, home } = ground
  const keys = createKeyReader(home)
  const times: number[] = []
  const served: string[] = []
  for (let n = 0; n < WARM_UP + purchases; n++) {
    const session = await shop.order(`single${n}`)
    const before = new Set(keys().keys())
    const paidAt = performance.now()
    shop.pay(session)
    const [tenant, key] = await newKey(keys, before)
    const workedAt = await customers.untilWorks(key)
    if (n < WARM_UP) continue
    times.push(workedAt - paidAt)
    served.push(tenant)
  }
  const steps = await stepTimes(ground, served)
  const all = `${purchases} purchases; max ${rounded(Math.max(...times))} ms`
  return [
    under('webhook to working key, p50', median(times), 'ms', 250, `${all}; ${steps}`),
    under('webhook to working key, p99', quantile(times, 0.99), 'ms', 1000, all),
    anchor('SQ reload, mean', ((await program.metric('tenantry_sq_reload_seconds_sum')) / (await program.metric('tenantry_sq_reload_seconds_count'))) * 1000, 'ms', 'from asking to the new file being accepted'),
  ]
}

async function newKey(keys: () => ReadonlyMap<string, string>, before: ReadonlySet<string>): Promise<[string, string]> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await pause(POLL_MS)) {
    for (const entry of keys()) if (!before.has(entry[0])) return entry
  }
  throw new Error('a purchase was not served within 30 s')
}

/** Where the time goes, by the program's own timeline. */
async function stepTimes({ program }: Ground, tenants: readonly string[]): Promise<string> {
  const steps = new Map<string, number[]>()
  for (const tenant of tenants) {
    const timeline = (await program.tenant(tenant)).timeline
    const start = Date.parse(timeline[0]!.at)
    for (const { step, at } of timeline) steps.set(step, [...(steps.get(step) ?? []), Date.parse(at) - start])
  }
  return `median ms after receipt: ${[...steps].map(([step, values]) => `${step} ${median(values)}`).join(', ')}`
}

async function atOnce({ shop, home, git }: Ground, customers: Customers, purchases: number): Promise<BenchResult[]> {
  const sessions: string[] = []
  for (let n = 0; n < purchases; n++) sessions.push(await shop.order(`rush${n}`))
  const commits = (): number => Number(git('rev-list', '--count', 'main'))
  const keys = createKeyReader(home)
  const known = new Set(keys().keys())
  const commitsBefore = commits()
  const paidAt = performance.now()
  for (const session of sessions) shop.pay(session)
  const working: Promise<number>[] = []
  await waitFor(
    () => {
      for (const [tenant, key] of keys()) {
        if (known.has(tenant)) continue
        known.add(tenant)
        working.push(customers.untilWorks(key))
      }
      return working.length === purchases
    },
    `${purchases} purchases`,
    120_000,
  )
  const lastAt = Math.max(...(await Promise.all(working)))
  const made = commits() - commitsBefore
  return [
    under(`${purchases} purchases at once, all keys working`, (lastAt - paidAt) / 1000, 's', 5, 'from the first payment to the last key that stores'),
    atMost(`${purchases} purchases at once, commits`, made, 'commits', 25, ''),
  ]
}
