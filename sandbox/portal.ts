/** The billing portal: its configurations, and visits to it. What a visitor does there is in portal-page.ts. */
import type { Ledger } from './ledger.ts'
import { found } from './money.ts'
import { portalSessionObject, type PortalSession } from './objects/customer.ts'
import { configurationObject, type PortalConfiguration } from './objects/setup.ts'
import { StripeRefusal } from './refusal.ts'

export interface Portal {
  createConfiguration(terms: Omit<Parameters<typeof configurationObject>[2], 'isDefault'>): PortalConfiguration
  configuration(id: string): PortalConfiguration
  updateConfiguration(id: string, changes: Partial<PortalConfiguration>): PortalConfiguration
  open(visit: { readonly customer: string; readonly configuration?: string; readonly returnUrl: string | null }): PortalSession
  session(id: string): PortalSession
}

export function createPortal(ledger: Ledger, urlOf: (session: string) => string): Portal {
  const { state, seconds, newId } = ledger
  const configuration = (id: string) => found('configuration', id, state.get('portal_configuration', id))
  const portal: Portal = {
    configuration,
    createConfiguration(terms) {
      const made = configurationObject(newId('bpc'), seconds(), { ...terms, isDefault: state.all('portal_configuration').length === 0 })
      state.put('portal_configuration', made.id, made)
      return made
    },
    updateConfiguration(id, changes) {
      const before = configuration(id)
      const revised = { ...before, ...changes, features: { ...before.features, ...changes.features }, updated: seconds() }
      state.put('portal_configuration', id, revised)
      return revised
    },
    open({ customer, configuration: wanted, returnUrl }) {
      if (state.get('customer', customer) === undefined) throw new StripeRefusal(400, `No such customer: '${customer}'`, { code: 'resource_missing', param: 'customer' })
      const used = wanted === undefined ? (state.all('portal_configuration').find(({ is_default: isDefault }) => isDefault)?.id ?? 'bpc_default') : configuration(wanted).id
      const id = newId('bps')
      const session = portalSessionObject(id, seconds(), { customer, configuration: used, returnUrl, url: urlOf(id) })
      state.put('portal_session', id, session)
      return session
    },
    session: (id) => found('billing portal session', id, state.get('portal_session', id)),
  }
  return portal
}
