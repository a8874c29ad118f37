/** What metered use costs: the sum of a customer's meter events in a period, priced by the price's tiers. */
import type { Price } from './objects/price.ts'
import type { SandboxState } from './state.ts'

/** For use before `until` that no invoice holds yet: the month before it. */
export function usageAmount(state: SandboxState, customer: string, price: Price, until: number): { readonly amount: number; readonly quantity: number } {
  const meter = price.recurring.meter === null ? undefined : state.get('meter', price.recurring.meter)
  if (meter === undefined) return { amount: 0, quantity: 0 }
  const since = monthBefore(until)
  const quantity = state
    .all('meter_event')
    .filter((event) => event.event_name === meter.event_name && event.payload[meter.customer_mapping.event_payload_key] === customer && event.timestamp >= since && event.timestamp < until)
    .reduce((sum, { payload }) => sum + Number(payload[meter.value_settings.event_payload_key]), 0)
  return { amount: Math.round(priced(price, quantity)), quantity }
}

function priced({ tiers, unit_amount_decimal: unit }: Price, quantity: number): number {
  if (tiers === undefined) return Number(unit) * quantity
  let below = 0
  let amount = 0
  for (const { up_to: upTo, unit_amount_decimal: each } of tiers) {
    const within = Math.max(0, Math.min(quantity, upTo ?? Infinity) - below)
    amount += within * Number(each)
    below = upTo ?? Infinity
  }
  return amount
}

function monthBefore(seconds: number): number {
  const at = new Date(seconds * 1000)
  at.setUTCMonth(at.getUTCMonth() - 1)
  return at.getTime() / 1000
}
