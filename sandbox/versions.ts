/**
 * Events in the shapes of older API versions. What an endpoint is sent follows the version that it was made with, not the program
 * that receives it: before 2025-03-31 a subscription had its period itself, and an invoice named its subscription at the top.
 */
import type { StripeEvent } from './objects/list.ts'

/** The last version with the older shapes. */
export const OLDER_VERSION = '2025-02-24.acacia'

const MOVED_IN = '2025-03-31'

type Fields = Record<string, unknown>

export function inVersion(event: StripeEvent, version: string): StripeEvent {
  const data = version >= MOVED_IN ? event.data : { ...event.data, object: older(event.data.object as unknown as Fields) as unknown as StripeEvent['data']['object'] }
  return { ...event, api_version: version, data }
}

function older(object: Fields): Fields {
  switch (object['object']) {
    case 'subscription':
      return olderSubscription(object)
    case 'invoice':
      return olderInvoice(object)
    default:
      return object
  }
}

function olderSubscription(subscription: Fields): Fields {
  const items = subscription['items'] as Fields & { readonly data: readonly Fields[] }
  const [first] = items.data
  const data = items.data.map(({ current_period_end: _end, current_period_start: _start, ...item }) => ({ ...item, plan: planOf(item) }))
  return { ...subscription, current_period_end: first?.['current_period_end'], current_period_start: first?.['current_period_start'], items: { ...items, data } }
}

/** What a price was before there were prices. */
function planOf({ price }: Fields): Fields {
  const { id, unit_amount: amount, currency, recurring, product } = price as Fields & { readonly recurring: Fields }
  return { id, object: 'plan', active: true, amount, currency, interval: recurring['interval'], interval_count: 1, product, usage_type: recurring['usage_type'] }
}

function olderInvoice(invoice: Fields): Fields {
  const { parent, ...others } = invoice as Fields & { readonly parent: { readonly subscription_details: Fields } }
  const { subscription, metadata } = parent.subscription_details
  return { ...others, subscription, subscription_details: { metadata }, paid: invoice['status'] === 'paid' }
}
