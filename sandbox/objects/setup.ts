/** What a seller sets up once: webhook endpoints, meters, the portal's configuration. */
import type { Metadata } from './list.ts'

export type WebhookEndpoint = ReturnType<typeof endpointObject>
export type Meter = ReturnType<typeof meterObject>
export type MeterEvent = ReturnType<typeof meterEventObject>
export type PortalConfiguration = ReturnType<typeof configurationObject>

export interface EndpointTerms {
  readonly url: string
  readonly enabledEvents: readonly string[]
  readonly apiVersion: string | null
  readonly description: string | null
  readonly metadata: Metadata
}

export function endpointObject(id: string, createdAt: number, { url, enabledEvents, apiVersion, description, metadata }: EndpointTerms) {
  return {
    id,
    object: 'webhook_endpoint' as const,
    api_version: apiVersion,
    application: null,
    created: createdAt,
    description,
    enabled_events: enabledEvents,
    livemode: false,
    metadata,
    status: 'enabled' as 'enabled' | 'disabled',
    url,
  }
}

export function meterObject(id: string, createdAt: number, { displayName, eventName, formula }: { readonly displayName: string; readonly eventName: string; readonly formula: string }) {
  return {
    id,
    object: 'billing.meter' as const,
    created: createdAt,
    customer_mapping: { event_payload_key: 'stripe_customer_id', type: 'by_id' },
    default_aggregation: { formula },
    display_name: displayName,
    event_name: eventName,
    event_time_window: null,
    livemode: false,
    status: 'active' as 'active' | 'inactive',
    status_transitions: { deactivated_at: null },
    updated: createdAt,
    value_settings: { event_payload_key: 'value' },
  }
}

export function meterEventObject(createdAt: number, terms: { readonly eventName: string; readonly identifier: string; readonly payload: Metadata; readonly timestamp: number }) {
  return {
    object: 'billing.meter_event' as const,
    created: createdAt,
    event_name: terms.eventName,
    identifier: terms.identifier,
    livemode: false,
    payload: terms.payload,
    timestamp: terms.timestamp,
  }
}

/** `features` and `businessProfile` as they were sent, laid over what Stripe takes where nothing is said. */
export function configurationObject(id: string, createdAt: number, terms: { readonly features: object; readonly businessProfile: object; readonly defaultReturnUrl: string | null; readonly metadata: Metadata; readonly isDefault: boolean }) {
  return {
    id,
    object: 'billing_portal.configuration' as const,
    active: true,
    application: null,
    business_profile: { headline: null, privacy_policy_url: null, terms_of_service_url: null, ...terms.businessProfile },
    created: createdAt,
    default_return_url: terms.defaultReturnUrl,
    features: { ...featuresOff(), ...terms.features } as Record<string, unknown>,
    is_default: terms.isDefault,
    livemode: false,
    login_page: { enabled: false, url: null },
    metadata: terms.metadata,
    name: null,
    updated: createdAt,
  }
}

function featuresOff() {
  return {
    customer_update: { allowed_updates: [], enabled: false },
    invoice_history: { enabled: false },
    payment_method_update: { enabled: false, payment_method_configuration: null },
    subscription_cancel: { cancellation_reason: { enabled: false, options: [] }, enabled: false, mode: 'at_period_end', proration_behavior: 'none' },
    subscription_update: { billing_cycle_anchor: null, default_allowed_updates: [], enabled: false, proration_behavior: 'none', schedule_at_period_end: { conditions: [] }, trial_update_behavior: 'end_trial' },
  }
}
