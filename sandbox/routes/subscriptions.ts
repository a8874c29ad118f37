/** Calls around subscriptions. */
import type { Account } from '../account.ts'
import type { Subscription, SubscriptionItem } from '../objects/subscription.ts'
import { invalid } from '../refusal.ts'
import { flag, formAt, get, is, list, listAt, mergeMetadata, post, textAt, within, type Call, type MakeRoutes } from './route.ts'
import type { Form } from '../form.ts'

const ENDED: ReadonlySet<string> = new Set(['canceled', 'incomplete_expired'])
const UPDATES = [
  ...['cancel_at_period_end', 'cancel_at', 'cancellation_details', 'items', 'metadata', 'pause_collection', 'proration_behavior', 'payment_behavior'],
  ...['trial_end', 'default_payment_method', 'billing_cycle_anchor', 'automatic_tax', 'description'],
]

export const subscriptionRoutes: MakeRoutes = (account) => {
  const { subscriptions, ledger } = account
  return [
    list('/v1/subscriptions', ['customer', 'price', 'status', 'created', 'current_period_end', 'current_period_start', 'collection_method'], (form) =>
      ledger.state
        .all('subscription')
        .filter((each) => is(form, 'customer', each.customer) && within(form['created'], each.created) && hasStatus(form, each.status) && hasPrice(form, each))
        .toReversed(),
    ),
    get('/v1/subscriptions/:id', subscriptions.get),
    post('/v1/subscriptions/:id', UPDATES, (call) => update(account, call)),
    { method: 'DELETE', path: '/v1/subscriptions/:id', accepts: ['invoice_now', 'prorate', 'cancellation_details'], handle: ({ id }) => subscriptions.cancel(id) },
    post('/v1/subscriptions/:id/resume', ['billing_cycle_anchor', 'proration_behavior', 'payment_behavior'], ({ id }) => subscriptions.resume(id)),
    post('/v1/subscriptions/:id/pause', ['type', 'bill_for', 'invoicing_behavior'], ({ id }) => subscriptions.pause(id)),
    { ...list('/v1/subscription_items', ['subscription'], () => []), handle: ({ form }) => subscriptions.get(textAt(form['subscription']) ?? '').items.data },
  ]
}

/** As at Stripe, canceled ones are hidden unless asked for. */
function hasStatus(form: Form, own: string): boolean {
  const wanted = textAt(form['status'])
  if (wanted === undefined) return own !== 'canceled'
  return wanted === 'all' || (wanted === 'ended' ? ENDED.has(own) : own === wanted)
}

function hasPrice(form: Form, { items }: Subscription): boolean {
  const wanted = textAt(form['price'])
  return wanted === undefined || items.data.some(({ price }) => price.id === wanted)
}

/** Everything that one call changes is told by one event. */
function update(account: Account, { id, form }: Call): Subscription {
  const { subscriptions } = account
  const before = subscriptions.get(id)
  const atPeriodEnd = flag(form['cancel_at_period_end'])
  const cancelAt = textAt(form['cancel_at'])
  if (atPeriodEnd !== undefined) subscriptions.cancelAt(id, atPeriodEnd ? 'period-end' : null)
  else if (cancelAt !== undefined) subscriptions.cancelAt(id, cancelAt === '' ? null : Number(cancelAt))
  const changes = plainChanges(before, form)
  const items = listAt(form['items'])
  if (items.length > 0) {
    const proration = textAt(form['proration_behavior'])
    subscriptions.change(id, changedItems(account, before, items.map(formAt)), proration === 'none' || proration === 'always_invoice' ? proration : 'create_prorations', changes)
  } else if (Object.keys(changes).length > 0) subscriptions.revise(id, changes)
  if (textAt(form['trial_end']) === 'now') subscriptions.endTrial(id)
  return subscriptions.get(id)
}

function plainChanges(before: Subscription, form: Form): Partial<Subscription> {
  const pause = form['pause_collection']
  const trialEnd = textAt(form['trial_end'])
  const resumesAt = textAt(formAt(pause)['resumes_at'])
  return {
    ...(form['metadata'] !== undefined && { metadata: mergeMetadata(before.metadata, form['metadata']) }),
    ...(pause !== undefined && { pause_collection: pause === '' ? null : { behavior: textAt(formAt(pause)['behavior']) ?? 'void', resumes_at: resumesAt === undefined ? null : Number(resumesAt) } }),
    ...(trialEnd !== undefined && trialEnd !== 'now' && { trial_end: Number(trialEnd) }),
    ...(form['default_payment_method'] !== undefined && { default_payment_method: textAt(form['default_payment_method']) ?? null }),
  }
}

/** Items that are not named stay; one without an id is another one. */
function changedItems({ catalogue, ledger }: Account, { id, items }: Subscription, wanted: readonly Form[]): SubscriptionItem[] {
  const kept = new Map(items.data.map((item) => [item.id, item]))
  for (const form of wanted) {
    const itemId = textAt(form['id']) ?? ledger.newId('si')
    const before = kept.get(itemId) ?? (textAt(form['id']) === undefined ? { ...items.data[0]!, id: itemId, subscription: id, quantity: 1 } : undefined)
    if (before === undefined) throw invalid(`No such subscription item: '${itemId}'`, 'items')
    if (flag(form['deleted']) === true) {
      kept.delete(itemId)
      continue
    }
    const price = textAt(form['price'])
    const quantity = textAt(form['quantity'])
    kept.set(itemId, { ...before, ...(price !== undefined && { price: catalogue.price(price, 'items[0][price]') }), ...(quantity !== undefined && { quantity: Number(quantity) }) })
  }
  return [...kept.values()]
}
