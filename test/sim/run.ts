/** One year of one seed, and what was wrong at its end. */
import { createChance } from './chance.ts'
import { createCustomers } from './customers.ts'
import { disagreements } from './agreement.ts'
import type { FaultRates } from './faults.ts'
import { salePlan, SPECS } from './shop-specs.ts'
import { createWorld, DAY_MS, type World } from './world.ts'

export interface RunOptions {
  readonly seed: string
  readonly folder: string
  readonly customers: number
  readonly days: number
  readonly rates: FaultRates
}

export interface Ran {
  readonly faults: readonly string[]
  readonly world: World
}

export async function run({ seed, folder, customers, days, rates }: RunOptions): Promise<Ran> {
  const then = createChance(seed).fork('retries').pick(['canceled', 'unpaid', 'past_due'] as const)
  const world = await createWorld({ seed, folder, rates, specs: SPECS, retries: { afterDays: [3, 5, 7], then } })
  createCustomers(world, customers, days)
  sellToOthers(world, days)
  raisePrice(world, days)
  await world.run(days)
  await world.settle()
  return { faults: disagreements(world), world }
}

/** Somebody else's business on the same account: none of it may become anything. */
function sellToOthers({ agenda, outside, double, chance }: World, days: number): void {
  const others = chance.fork('others')
  agenda.in(others.below(days * DAY_MS), async () => {
    const product = await outside.products.create({ name: 'A book club' })
    const price = await outside.prices.create({ product: product.id, currency: 'usd', unit_amount: 700, recurring: { interval: 'month' } })
    const { id } = await outside.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: price.id, quantity: 1 }], success_url: 'https://example.org/' })
    const { subscription } = double.pay(id)
    agenda.in(40 * DAY_MS, () => double.cancel(subscription!))
  })
}

/** The standard plan becomes dearer; who has it pays what was agreed. */
function raisePrice({ agenda, repository, chance, sync }: World, days: number): void {
  agenda.in(chance.fork('prices').below(days * DAY_MS), async () => {
    repository.put(salePlan('sq-standard', 1900))
    await sync()
  })
}

/** The same failure with fewer customers and days, as far as that is cheap to find. */
export async function shrink(options: RunOptions): Promise<RunOptions> {
  let least = options
  const smaller = [1, 2, 3, 4].filter((customers) => customers < options.customers).map((customers) => ({ ...options, customers }))
  for (const candidate of smaller) {
    if ((await run(candidate)).faults.length > 0) {
      least = candidate
      break
    }
  }
  for (let days = Math.floor(least.days / 2); days >= 10; days = Math.floor(days / 2)) {
    const candidate = { ...least, days }
    if ((await run(candidate)).faults.length === 0) break
    least = candidate
  }
  return least
}
