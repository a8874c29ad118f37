/** What every object of Stripe has in common: lists, and the events that tell of changes. */
import { STRIPE_API_VERSION } from '../../hooks/stripe/client.ts'

export type Metadata = Readonly<Record<string, string>>
export type StripeEvent = ReturnType<typeof eventObject>

export function listObject<T>(data: readonly T[], url: string, hasMore = false) {
  return { object: 'list' as const, data, has_more: hasMore, url }
}

/** An event tells how things stood: objects are replaced when they change, never changed. `before`: the former values of the fields that changed. */
export function eventObject(id: string, createdAt: number, type: string, object: object, before?: object) {
  return {
    id,
    object: 'event' as const,
    api_version: STRIPE_API_VERSION as string,
    created: createdAt,
    data: { object: object as { readonly id: string; readonly object: string }, ...(before !== undefined && { previous_attributes: before }) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  }
}
