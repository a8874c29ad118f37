/** What is to be told to a customer by mail. A mail is asked for by its cause, and one cause makes one mail, however often it is asked for. */
import type { TenantId, Timestamp } from '../core/specs.ts'

export type Mail =
  /** `key`: masked, its last four characters. */
  | { readonly kind: 'welcome'; readonly tenant: TenantId; readonly product: string; readonly key: string }
  | { readonly kind: 'payment-failed'; readonly tenant: TenantId; readonly product: string; readonly graceUntil?: Timestamp }
  | { readonly kind: 'suspended'; readonly tenant: TenantId; readonly product: string; readonly reason: string }
  | { readonly kind: 'ending'; readonly tenant: TenantId; readonly product: string; readonly endsAt: Timestamp }
  | { readonly kind: 'ended'; readonly tenant: TenantId; readonly product: string; readonly dataUntil: Timestamp }
  | { readonly kind: 'quota'; readonly tenant: TenantId; readonly product: string; readonly limit: 'storage' | 'requests'; readonly percent: 80 | 95 }
  | { readonly kind: 'trial-ends'; readonly tenant: TenantId; readonly product: string; readonly endsAt: Timestamp }
  /** A key that was rotated is still used. */
  | { readonly kind: 'old-key-used'; readonly tenant: TenantId; readonly product: string; readonly key: string; readonly endsAt: Timestamp }
  /** `link` is a secret: it is kept no longer than the mail waits. */
  | { readonly kind: 'sign-in'; readonly link: string; readonly minutes: number }
  | { readonly kind: 'confirm-address'; readonly link: string; readonly minutes: number }

export interface Outbox {
  /** Durable when it returns. False where the cause has its mail already. `cause` names what happened once: `suspended/user001/2026-03-01T…`. */
  put(cause: string, to: string, mail: Mail): boolean
}
