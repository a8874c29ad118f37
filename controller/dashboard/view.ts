/** What every page of a tenant's dashboard knows: read once a request, handed to pages as values. */
import type { Session } from '../accounts/port.ts'
import type { Plan, Product, Tenant } from '../core/specs.ts'
import type { Brand } from '../web/pages/layout.ts'
import type { Standing } from './standing-words.ts'

export interface TenantView {
  readonly tenant: Tenant
  readonly product: Product | undefined
  readonly plan: Plan | undefined
  readonly standing: Standing
  /** Others of the same owner: how many. */
  readonly others: number
  readonly session: Session
  readonly brand: Brand
  readonly now: Date
  readonly notice?: Notice
}

/** What was just done, or why not. */
export interface Notice {
  readonly tone: 'good' | 'warn' | 'bad'
  readonly title: string
  readonly text?: string
}

export const addressOf = ({ metadata }: Pick<Tenant, 'metadata'>, section = ''): string => `/dashboard/${metadata.name}${section === '' ? '' : `/${section}`}`
