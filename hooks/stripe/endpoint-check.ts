/** Whether the account's webhook endpoint sends what this program reads: its API version is fixed when it is made, whatever the program's own is. */
import type Stripe from 'stripe'
import { WEBHOOK_PATH } from './catalogue.ts'
import { STRIPE_API_VERSION } from './client.ts'
import { HANDLED_EVENTS } from './event.ts'

const MEND = 'Run `tenantry billing sync`.'

/** What is wrong with it and what to do; undefined where nothing is, or where Stripe could not be asked. */
export async function endpointFault({ webhookEndpoints }: Pick<Stripe, 'webhookEndpoints'>, publicUrl: string): Promise<string | undefined> {
  const url = new URL(WEBHOOK_PATH, publicUrl).href
  try {
    const all = await webhookEndpoints.list({ limit: 100 }).autoPagingToArray({ limit: 1000 })
    return faultOf(all.filter((endpoint) => endpoint.url === url && endpoint.status === 'enabled'), url)
  } catch {
    return undefined
  }
}

function faultOf(endpoints: readonly Stripe.WebhookEndpoint[], url: string): string | undefined {
  if (endpoints.length === 0) return `Stripe has no webhook endpoint at ${url}: purchases are seen by the comparison alone. ${MEND}`
  const other = endpoints.find(({ api_version: version }) => version !== STRIPE_API_VERSION)
  if (other !== undefined) return `Stripe's webhook endpoint ${other.id} sends events of version ${other.api_version ?? 'of the account'} instead of ${STRIPE_API_VERSION}. ${MEND}`
  const [endpoint] = endpoints
  const lacking = HANDLED_EVENTS.filter((type) => !endpoint!.enabled_events.includes(type) && !endpoint!.enabled_events.includes('*'))
  return lacking.length === 0 ? undefined : `Stripe's webhook endpoint ${endpoint!.id} does not send ${lacking.join(', ')}. ${MEND}`
}
