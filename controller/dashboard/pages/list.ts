/** `/dashboard` of somebody with several tenants, with none, or whose address is not proved yet. */
import type { Session } from '../../accounts/port.ts'
import { html, type Html } from '../../web/html.ts'
import { badge, button, emptyState, pageHead } from '../../web/pages/components.ts'
import type { Brand, Page } from '../../web/pages/layout.ts'
import { addressOf, type TenantView } from '../view.ts'
import { personPage } from './frame.ts'

export function listPage(brand: Brand, session: Session, views: readonly TenantView[]): Page {
  return personPage(brand, session, 'Dashboard', html`${pageHead('Yours', html`Signed in as ${session.email}.`)}<ul class="dash-list">${views.map(item)}</ul>`)
}

function item({ tenant, product, plan, standing }: TenantView): Html {
  return html`<li class="card"><div class="card-head"><h2><a href="${addressOf(tenant)}">${tenant.metadata.name}</a></h2>${badge(standing.tone, standing.title, true)}</div>
<p class="soft">${product?.spec.title ?? tenant.spec.product}, ${plan?.spec.title ?? tenant.spec.plan}</p><p>${standing.text}</p></li>`
}

export function nothingPage(brand: Brand, session: Session): Page {
  const text = html`<p>You are signed in as ${session.email}, and nothing was bought with this address.</p><p>Did you pay with another one? Sign in with that.</p>`
  return personPage(brand, session, 'Dashboard', emptyState('Nothing here yet', text, html`${button(brand.callToAction, { href: `${brand.base}/pricing` })}${button('Get help', { href: '/support', kind: 'quiet' })}`))
}

export function unprovedPage(brand: Brand, session: Session): Page {
  const text = html`<p>A link was sent to ${session.email}. Follow it, and what was bought with this address is here.</p><p>Nothing came? Look among unwanted mail, or let us send another.</p>`
  return personPage(brand, session, 'Dashboard', emptyState('Is this address yours?', text, button('Send a link', { href: '/auth/sign-in', kind: 'quiet' })))
}
