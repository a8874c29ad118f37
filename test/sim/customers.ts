/** What customers do over a year: buy, wait, pay or leave, let a card fail, change, cancel, come back. Each follows a row of chance of its own. */
import { HttpProblem } from '../../controller/web/http-problem.ts'
import type { Subscription } from '../../sandbox/objects/subscription.ts'
import type { Chance } from './chance.ts'
import { DAY_MS, type World } from './world.ts'

const MINUTE_MS = 60_000
const PLANS = ['sq-founder', 'sq-founder', 'sq-standard', 'sq-trial']
/** Few names for many customers, so that some want the same. */
const NAMES = ['ada', 'grace', 'alan', 'edsger']

export interface Customer {
  readonly id: number
  readonly chance: Chance
  readonly email: string
  readonly username: string
}

export function createCustomers(world: World, count: number, days: number): readonly Customer[] {
  const customers = Array.from({ length: count }, (_, id): Customer => {
    const chance = world.chance.fork(`customer ${id}`)
    return { id, chance, email: `customer${id}@example.com`, username: chance.pick(NAMES) }
  })
  // Half of them on the same days, so that they meet.
  for (const customer of customers) world.agenda.in(customer.chance.is(0.5) ? customer.chance.below(3) * DAY_MS + customer.chance.below(10) * MINUTE_MS : customer.chance.below(Math.max(1, days * DAY_MS)), () => buy(world, customer))
  return customers
}

/** Tries a few times, with another plan or name where the first is gone. */
async function buy(world: World, customer: Customer, attempt = 0): Promise<void> {
  const { chance } = customer
  const plan = attempt > 1 ? 'sq-standard' : chance.pick(PLANS)
  const username = attempt === 0 ? customer.username : `${customer.username}-${customer.id}`
  const interval = chance.pick(['month', 'month', 'year'] as const)
  const amount = priceOf(world, plan, interval)
  const session = await begin(world, { plan, interval, email: customer.email, username })
  if (session === undefined) {
    if (attempt < 4) world.agenda.in((1 + chance.below(20)) * MINUTE_MS, () => buy(world, customer, attempt + 1))
    return
  }
  if (chance.is(0.1)) return
  world.agenda.in(chance.below(40) * MINUTE_MS, () => pay(world, customer, { session, amount }))
}

/** As the plan's file says it now. */
function priceOf({ repository }: World, plan: string, interval: 'month' | 'year'): number {
  return repository.catalog.plan(plan)!.spec.prices[interval]!.amount
}

async function begin(world: World, order: object): Promise<string | undefined> {
  try {
    return await world.alive((program) => program.checkout(order))
  } catch (error) {
    if (error instanceof HttpProblem) return undefined
    throw error
  }
}

function pay(world: World, customer: Customer, { session, amount }: { readonly session: string; readonly amount: number }): void {
  const { double, agenda } = world
  if (double.session(session).status !== 'open') return
  const later = customer.chance.is(0.15)
  const { subscription } = double.pay(session, later ? 'later' : 'card', { percentOff: customer.chance.is(0.2) ? 50 : 0, withCard: customer.chance.is(0.5) })
  world.agreed.set(subscription!, amount)
  if (double.subscription(subscription!).status === 'incomplete') {
    const outcome = customer.chance.is(0.7) ? 'succeeded' : 'failed'
    agenda.in((1 + customer.chance.below(10)) * DAY_MS, () => double.settle(session, outcome))
  }
  agenda.in(nextIn(customer), () => act(world, customer, subscription!))
}

const nextIn = ({ chance }: Customer): number => chance.below(45 * DAY_MS)

type Act = (world: World, customer: Customer, subscription: Subscription) => void

const ACTS: readonly Act[] = [
  ({ double }, _customer, { customer }) => double.failCard(customer),
  ({ double }, _customer, { customer }) => double.failCard(customer),
  ({ double }, _customer, { id, customer }) => {
    double.fixCard(customer)
    if (typeof double.state.get('cycle', id)?.invoice === 'string') double.payOpenInvoice(id)
  },
  ({ double }, _customer, { id }) => double.cancel(id, 'period-end'),
  ({ double }, _customer, { id, cancel_at: at }) => at !== null && double.undoCancel(id),
  ({ double }, _customer, { id }) => double.cancel(id),
  (world, { chance }, { id }) => {
    const [plan, interval] = chance.pick([['sq-standard', 'month'], ['sq-standard', 'year'], ['sq-founder', 'month'], ['sq-trial', 'month']] as const)
    world.double.changePlan(id, `${plan}_${interval}`, 1)
    world.agreed.set(id, priceOf(world, plan, interval))
  },
  ({ double }, { chance }, { id }) => void (double.state.all('charge').some(({ customer }) => customer === double.subscription(id).customer) && (chance.is(0.5) ? double.dispute(id) : refundSome(double, id))),
  ({ double }, { chance }, { id }) => double.pauseCollection(id, chance.is(0.5) ? 'void' : null),
  ({ double }, _customer, { id, status }) => {
    if (status === 'paused') {
      double.fixCard(double.subscription(id).customer)
      double.resume(id)
    }
  },
]

function refundSome(double: World['double'], id: string): void {
  const charge = double.state.all('charge').findLast(({ customer }) => customer === double.subscription(id).customer)!
  if (charge.amount > charge.amount_refunded) double.refund(id, 1 + Math.floor((charge.amount - charge.amount_refunded - 1) / 2))
}

function act(world: World, customer: Customer, id: string): void {
  const { chance } = customer
  const subscription = world.double.subscription(id)
  if (subscription.status === 'canceled' || subscription.status === 'incomplete_expired') {
    if (chance.is(0.6)) world.agenda.in(nextIn(customer), () => buy(world, customer))
    return
  }
  if (subscription.status !== 'incomplete') chance.pick(ACTS)(world, customer, subscription)
  world.agenda.in(nextIn(customer), () => act(world, customer, id))
}
