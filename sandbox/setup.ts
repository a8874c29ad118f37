/** Webhook endpoints and meters: made once by `tenantry billing sync`, used by deliveries and by reports of use. */
import type { Ledger } from './ledger.ts'
import { found } from './money.ts'
import { endpointObject, meterEventObject, meterObject, type EndpointTerms, type Meter, type MeterEvent, type WebhookEndpoint } from './objects/setup.ts'
import { invalid, StripeRefusal } from './refusal.ts'

export interface Setup {
  /** The answer to the creation alone tells the secret. */
  createEndpoint(terms: EndpointTerms): WebhookEndpoint & { readonly secret: string }
  endpoint(id: string): WebhookEndpoint
  updateEndpoint(id: string, changes: Partial<Pick<WebhookEndpoint, 'url' | 'enabled_events' | 'description' | 'metadata' | 'status'>>): WebhookEndpoint
  createMeter(terms: { readonly displayName: string; readonly eventName: string; readonly formula: string }): Meter
  meter(id: string): Meter
  report(terms: Parameters<typeof meterEventObject>[1]): MeterEvent
}

const REPORT_BACK_SECONDS = 35 * 86_400
const REPORT_AHEAD_SECONDS = 5 * 60

export function createSetup(ledger: Ledger): Setup {
  const { state, seconds, newId } = ledger
  const stored = (id: string) => found('webhook endpoint', id, state.get('endpoint', id))
  return {
    createEndpoint(terms) {
      const secret = newId('whsec').replace('whsec_', 'whsec_sandbox')
      const endpoint = endpointObject(newId('we'), seconds(), terms)
      state.put('endpoint', endpoint.id, { endpoint, secret })
      return { ...endpoint, secret }
    },
    endpoint: (id) => stored(id).endpoint,
    updateEndpoint(id, changes) {
      const endpoint = { ...stored(id).endpoint, ...changes }
      state.put('endpoint', id, { ...stored(id), endpoint })
      return endpoint
    },
    createMeter(terms) {
      const taken = state.all('meter').some(({ event_name: name, status }) => name === terms.eventName && status === 'active')
      if (taken) throw new StripeRefusal(400, `An active meter already exists for event name ${terms.eventName}`, { param: 'event_name' })
      const meter = meterObject(newId('mtr_test'), seconds(), terms)
      state.put('meter', meter.id, meter)
      return meter
    },
    meter: (id) => found('billing meter', id, state.get('meter', id)),
    report(terms) {
      const meter = state.all('meter').find(({ event_name: name, status }) => name === terms.eventName && status === 'active')
      if (meter === undefined) throw new StripeRefusal(400, `No active meter found for event name ${terms.eventName}`, { code: 'no_meter' })
      if (state.get('meter_event', terms.identifier) !== undefined) throw invalid(`An event already exists with identifier ${terms.identifier}.`, 'identifier')
      if (terms.timestamp < seconds() - REPORT_BACK_SECONDS) throw new StripeRefusal(400, 'The timestamp is too far in the past.', { code: 'timestamp_too_far_in_past', param: 'timestamp' })
      if (terms.timestamp > seconds() + REPORT_AHEAD_SECONDS) throw new StripeRefusal(400, 'The timestamp is in the future.', { code: 'timestamp_in_future', param: 'timestamp' })
      const customer = terms.payload[meter.customer_mapping.event_payload_key]
      if (customer === undefined || state.get('customer', customer) === undefined) throw invalid('The payload names no customer.', 'payload')
      if (!/^\d+$/.test(terms.payload[meter.value_settings.event_payload_key] ?? '')) throw new StripeRefusal(400, 'The value is not a whole number.', { code: 'meter_event_invalid_value', param: 'payload' })
      const event = meterEventObject(seconds(), terms)
      state.put('meter_event', terms.identifier, event)
      return event
    },
  }
}
