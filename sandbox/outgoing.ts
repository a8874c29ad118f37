/** Which endpoints an event goes to, and what they are sent: rendered in the endpoint's API version and signed with its secret. */
import type Stripe from 'stripe'
import { STRIPE_API_VERSION } from '../hooks/stripe/client.ts'
import type { StripeEvent } from './objects/list.ts'
import type { SandboxState } from './state.ts'
import { inVersion } from './versions.ts'

export interface Endpoint {
  readonly url: string
  readonly secret: string
  readonly enabledEvents: readonly string[]
  readonly apiVersion: string
}

export interface SignedMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The endpoint that the double was started with, and those that were made through the API. */
export function endpointsFor(state: SandboxState, first: Endpoint | undefined, { type }: StripeEvent): Endpoint[] {
  const made = state.all('endpoint').flatMap(({ endpoint, secret }): Endpoint[] => {
    if (endpoint.status !== 'enabled') return []
    return [{ url: endpoint.url, secret, enabledEvents: endpoint.enabled_events, apiVersion: endpoint.api_version ?? STRIPE_API_VERSION }]
  })
  return [...(first === undefined ? [] : [first]), ...made].filter(({ enabledEvents }) => enabledEvents.includes('*') || enabledEvents.includes(type))
}

export function signedMessage(webhooks: Stripe['webhooks'], event: StripeEvent, { secret, apiVersion }: Endpoint, now: Date, version = apiVersion): SignedMessage {
  const body = JSON.stringify(inVersion(event, version), undefined, 2)
  const signature = webhooks.generateTestHeaderString({ payload: body, secret, timestamp: Math.floor(now.getTime() / 1000) })
  return { headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature }, body }
}
