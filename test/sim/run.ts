/** One year of one seed, and what was wrong at its end. */
import { createChance } from './chance.ts'
import { createCustomers } from './customers.ts'
import { disagreements } from './agreement.ts'
import type { FaultRates } from './faults.ts'
import type { Plan } from '../../controller/core/specs.ts'
import { FOUNDER, salePlan, SPECS, STANDARD } from './shop-specs.ts'
import { createWorld, DAY_MS, type World } from './world.ts'

/** How often in a year all comes to rest and is looked at. */
const LOOKS = 3

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
  const retries = createChance(seed).fork('retries')
  const then = retries.pick(['canceled', 'unpaid', 'unpaid', 'past_due'] as const)
  // Within the grace of seven days, and beyond it.
  const afterDays = retries.pick([[3, 5, 7], [1, 2]])
  const world = await createWorld({ seed, folder, rates, specs: SPECS, retries: { afterDays, then } })
  createCustomers(world, customers, days)
  sellToOthers(world, days)
  changePlans(world, days)
  let faults: string[] = []
  for (let part = 1; part <= LOOKS && faults.length === 0; part++) {
    await world.run(days / LOOKS)
    await world.settle()
    faults = disagreements(world)
  }
  return { faults, world }
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

/** Plans become dearer or cheaper, and who has them pays what was agreed; and the founder's has other slots. */
function changePlans({ agenda, repository, chance, sync }: World, days: number): void {
  const changes = chance.fork('prices')
  const slots = changes.pick([1, 2, 3])
  const price = (plan: Plan, month: number) => async () => {
    const { metadata: { name }, spec } = repository.catalog.plan(plan.metadata.name)!
    repository.put({ ...plan, spec: { ...spec, prices: salePlan(name, month).spec.prices } })
    await sync()
  }
  agenda.in(changes.below(days * DAY_MS), price(STANDARD, 1900))
  agenda.in(changes.below(days * DAY_MS), price(FOUNDER, changes.pick([800, 1200])))
  agenda.in(changes.below(days * DAY_MS), () => {
    const now = repository.catalog.plan(FOUNDER.metadata.name)!
    // Those that are taken stay: fewer would make files wrong that are right.
    const taken = repository.tenants().filter(({ spec }) => spec.plan === now.metadata.name && spec.state !== 'ended').length
    repository.put({ ...now, spec: { ...now.spec, slots: Math.max(slots, taken) } })
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
