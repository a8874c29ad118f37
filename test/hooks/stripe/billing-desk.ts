/** The worker's parts round a Stripe account that the test sets and a repository in memory. */
import type { Settlement } from '../../../controller/store/inbox.ts'
import { createBillingCases } from '../../../controller/store/billing-cases.ts'
import { createCheckoutHolds } from '../../../controller/store/checkout-holds.ts'
import { openStore } from '../../../controller/store/db.ts'
import { createHighestNumbers } from '../../../controller/store/highest-numbers.ts'
import { createInbox } from '../../../controller/store/inbox.ts'
import { createTimeline } from '../../../controller/store/timeline.ts'
import type { TenantId, TenantSpec } from '../../../controller/core/specs.ts'
import { workOnPurchases } from '../../../hooks/stripe/purchase-batch.ts'
import { closing } from '../../sandbox/shop.ts'
import { tempFolder } from '../../support/temp.ts'
import { createLogDouble } from './log-double.ts'
import { createRepositoryDouble, stringify } from './repository-double.ts'
import { createStripeAccount, sessionOf, subscriptionOf, type SubscriptionOptions } from './stripe-account.ts'

export function openDesk() {
  const db = openStore(`${tempFolder()}/store.db`, 'rebuildable')
  closing.push(() => db.close())
  const clock = { now: new Date('2026-03-10T12:00:00Z') }
  const now = () => clock.now
  const timeline = createTimeline(db)
  const inbox = createInbox(db, { now, mark: timeline.mark })
  const holds = createCheckoutHolds(db)
  const cases = createBillingCases(db)
  const repository = createRepositoryDouble()
  const account = createStripeAccount()
  const log = createLogDouble()
  const settled: (readonly [Settlement['kind'], string])[] = []
  let nonces = 0
  let events = 0
  const options = {
    inbox, holds, cases, log, now,
    stripe: account.stripe,
    writer: repository.writer,
    files: repository.files,
    highestNumbers: createHighestNumbers(db),
    mark: timeline.mark,
    stringify,
    installation: 'inst-1',
    masterVersion: 1,
    chance: () => 0.5,
    newNonce: () => String(++nonces).padStart(32, '0'),
    count: (kind: Settlement['kind'], reason: string) => void settled.push([kind, reason]),
  }
  const desk = {
    db, clock, inbox, holds, cases, repository, account, log, settled, options, timeline,
    tell: (type: string, object: string, id = `evt_${++events}`) => inbox.put({ id, type, object, body: '{}', trace: id.padStart(32, '0'), receivedAt: now().toISOString() }),
    work: () => workOnPurchases(options, inbox.open(100)),
    /** A subscription as it stands at Stripe from now on. */
    set: (id: string, changes: SubscriptionOptions = {}) => void account.subscriptions.set(id, subscriptionOf(id, changes)),
    /** A customer who bought and was served; the subscription is sub_N. */
    async customer(n: number, changes: SubscriptionOptions = {}): Promise<void> {
      const subscription = subscriptionOf(`sub_${n}`, changes)
      account.subscriptions.set(`sub_${n}`, subscription)
      account.sessions.set(`cs_${n}`, sessionOf(`cs_${n}`, subscription))
      await desk.tell('checkout.session.completed', `cs_${n}`)
      await desk.work()
    },
    spec: (id: string): TenantSpec => repository.catalog().tenant(id as TenantId)!.spec,
    /** Event states and notes. */
    states: () => Object.fromEntries((db.prepare('SELECT id, state, note FROM inbox').all() as { id: string; state: string; note: string }[]).map(({ id, state, note }) => [id, `${state}: ${note}`])),
    lastMessage: () => repository.commits.at(-1)!.message,
  }
  return desk
}

export type Desk = ReturnType<typeof openDesk>
