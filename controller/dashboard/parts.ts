/** What the dashboard's pages and forms are made of; put together in compose.ts, hand-written in tests. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { KeyUse } from '../agent-keys/agent-keys.ts'
import type { Session, Sessions } from '../accounts/port.ts'
import type { ApiKey } from '../core/keys.ts'
import type { Plan, Platform, Product, Tenant, TenantId } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import type { TenantRecord } from '../store/tenant-records.ts'
import type { TimelineEntry } from '../store/timeline.ts'
import type { RefusalRecord } from '../store/usage.ts'
import type { Pages } from '../web/pages/pages.ts'
import type { Figures } from './figures.ts'
import type { OwnerActions } from './owner-actions.ts'
import type { Owned } from './owned.ts'
import type { Past } from './past.ts'
import type { TenantView } from './view.ts'

/** What an owner does with the subscription. */
export interface OwnerBilling {
  /** The address of the customer's own page at Stripe, from which the dashboard is come back to. Rejects with HttpProblem. */
  portalUrl(tenant: Tenant): Promise<string>
  /** Cancels the subscription now, where there is one. Does nothing where it has ended already. */
  cancelNow(tenant: Tenant): Promise<void>
  /** Resumes what was paused when its trial ended, which is paid for from now on. Rejects with HttpProblem. */
  resume(tenant: Tenant): Promise<void>
}

export interface DashboardParts {
  readonly sessions: Sessions
  readonly pages: Pages
  readonly owned: Owned
  readonly specs: {
    readonly platform: Platform | undefined
    product(name: string): Product | undefined
    plan(name: string): Plan | undefined
    /** Plans of a product that are sold now. */
    onSale(product: string): readonly Plan[]
  }
  readonly actions: OwnerActions
  readonly past: Past
  readonly billing: OwnerBilling
  readonly keyring: Pick<Keyring, 'keyOf'>
  readonly record: (tenant: TenantId) => TenantRecord | undefined
  readonly timeline: (tenant: TenantId) => readonly TimelineEntry[]
  readonly figures: (tenant: Tenant, plan: Plan | undefined, span: number) => Figures
  readonly useOf: (tenant: TenantId) => KeyUse
  readonly refusals: { of(tenant: TenantId, most: number): readonly RefusalRecord[]; find(id: string): RefusalRecord | undefined }
  /** Resolves with true as soon as the gateway serves the key. */
  readonly untilServed: (key: ApiKey) => Promise<boolean>
  /** Asks the gateway for everything that the key's tenant stores. */
  readonly exportWith: (key: ApiKey) => Promise<Response>
  readonly publicUrl: () => string
  readonly now: () => Date
  /** Of a clock that never goes back. */
  readonly nowMs: () => number
  readonly log: { error(data: object, message: string): void }
}

export type TenantHandler = (view: TenantView, request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>
export type PersonHandler = (session: Session, request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>
