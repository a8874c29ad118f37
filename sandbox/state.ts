/**
 * What the double remembers. With a file, every change is appended to it as a line of JSON, and a start reads them again: a line
 * that a kill cut in half is dropped. Not synced to the disk: this is a sandbox.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Charge, Dispute, Refund } from './objects/charge.ts'
import type { Customer, PaymentMethod, PortalSession } from './objects/customer.ts'
import type { Invoice, InvoicePayment } from './objects/invoice.ts'
import type { StripeEvent } from './objects/list.ts'
import type { Price, Product } from './objects/price.ts'
import type { Session, SessionTerms } from './objects/session.ts'
import type { Meter, MeterEvent, PortalConfiguration, WebhookEndpoint } from './objects/setup.ts'
import type { Subscription } from './objects/subscription.ts'

export interface StoredSession {
  readonly session: Session
  readonly terms: SessionTerms
}

export interface StoredReply {
  /** Digest of the request that the key was used with. */
  readonly request: string
  readonly status: number
  readonly body: string
}

/** What Stripe knows of a subscription and does not show. */
export interface BillingCycle {
  /** The invoice that is not paid, and how often it was tried. */
  readonly invoice: string | null
  readonly attempts: number
  readonly retryAt: number | null
  readonly toldOfTrialEnd: boolean
  /** For the next invoice, from changes within a period. */
  readonly prorations: number
}

export interface StoredEndpoint {
  readonly endpoint: WebhookEndpoint
  readonly secret: string
}

interface Kinds {
  readonly session: StoredSession
  readonly customer: Customer
  readonly subscription: Subscription
  /** By subscription. */
  readonly cycle: BillingCycle
  readonly payment_method: PaymentMethod
  /** By customer: whether the card pays; none where absent. */
  readonly card: { readonly declines: boolean }
  readonly invoice: Invoice
  readonly invoice_payment: InvoicePayment
  readonly charge: Charge
  readonly refund: Refund
  readonly dispute: Dispute
  readonly product: Product
  readonly price: Price
  readonly endpoint: StoredEndpoint
  readonly meter: Meter
  /** By identifier. */
  readonly meter_event: MeterEvent
  readonly portal_session: PortalSession
  readonly portal_configuration: PortalConfiguration
  readonly event: StripeEvent
  /** By idempotency key. */
  readonly reply: StoredReply
  /** By event id: when it was answered with 2xx, or given up. */
  readonly delivered: { readonly at: number }
}

export type StateKind = keyof Kinds

export interface SandboxState {
  get<K extends StateKind>(kind: K, id: string): Kinds[K] | undefined
  put<K extends StateKind>(kind: K, id: string, value: Kinds[K]): void
  /** In the order in which they were first put. */
  all<K extends StateKind>(kind: K): readonly Kinds[K][]
}

interface Line {
  readonly kind: StateKind
  readonly id: string
  readonly value: unknown
}

export function createSandboxState(file: string | undefined): SandboxState {
  const maps = new Map<StateKind, Map<string, unknown>>()
  const mapOf = (kind: StateKind): Map<string, unknown> => {
    let map = maps.get(kind)
    if (map === undefined) maps.set(kind, (map = new Map()))
    return map
  }
  if (file !== undefined) {
    for (const { kind, id, value } of readLines(file)) mapOf(kind).set(id, value)
    compact(file, maps)
  }
  return {
    get: <K extends StateKind>(kind: K, id: string) => mapOf(kind).get(id) as Kinds[K] | undefined,
    put(kind, id, value) {
      mapOf(kind).set(id, value)
      if (file !== undefined) appendFileSync(file, `${JSON.stringify({ kind, id, value } satisfies Line)}\n`)
    },
    all: <K extends StateKind>(kind: K) => [...mapOf(kind).values()] as Kinds[K][],
  }
}

function readLines(file: string): Line[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line]
    } catch {
      return []
    }
  })
}

/** One line for each thing, written beside and renamed; also ends the line that a kill cut in half. */
function compact(file: string, maps: ReadonlyMap<StateKind, ReadonlyMap<string, unknown>>): void {
  mkdirSync(path.dirname(file), { recursive: true })
  const lines = [...maps].flatMap(([kind, map]) => [...map].map(([id, value]) => `${JSON.stringify({ kind, id, value } satisfies Line)}\n`))
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
