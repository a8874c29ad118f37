/** `/dashboard/TENANT/account`: the name on the founders page, taking everything along, and closing it. */
import { dayWords } from '../../core/wording.ts'
import { html, type Html } from '../../web/html.ts'
import { button, codeBlock, field } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import { addressOf, type TenantView } from '../view.ts'
import { card, csrfField, tenantPage } from './frame.ts'

export interface AccountParts {
  /** It stands on a plan whose owners may be listed. */
  readonly mayBeListed: boolean
  readonly endpoint: string
  readonly speaksSq: boolean
  /** Keys with which everything can be exported from here. */
  readonly canExport: boolean
  readonly retentionDays: number
  readonly dataUntil: string | null
  readonly errors?: Readonly<Record<string, string>>
}

export function accountPage(view: TenantView, parts: AccountParts): Page {
  const { tenant } = view
  const content = html`${parts.mayBeListed && card('Founders page', listing(view, parts))}
${parts.speaksSq && tenant.spec.state !== 'ended' && card('Take everything along', exporting(view, parts))}
${tenant.spec.state === 'ended' ? ended(parts) : card('Close it', closing(view, parts))}`
  return tenantPage(view, { title: 'Account', section: 'account', content })
}

function listing({ session, tenant }: TenantView, { errors = {} }: AccountParts): Html {
  const { listedAs } = tenant.spec.owner
  const action = addressOf(tenant, 'account/listing')
  return html`<p>${listedAs === undefined ? html`The <a href="/founders">founders page</a> names those who agree to it. You are not on it.` : html`You stand on the <a href="/founders">founders page</a> as <strong>${listedAs}</strong>.`}</p>
<form class="row" method="post" action="${action}">${csrfField(session)}${field({ name: 'listedAs', label: listedAs === undefined ? 'Name to show' : 'Another name', value: listedAs ?? tenant.spec.owner.username ?? '', error: errors['listedAs'], maxLength: 60 })}<button class="button quiet">${listedAs === undefined ? 'I agree: list me' : 'Change'}</button></form>
${listedAs !== undefined && html`<form method="post" action="${action}">${csrfField(session)}<button class="button quiet small" name="remove" value="yes">Take me off</button></form>`}`
}

function exporting({ session, tenant }: TenantView, { endpoint, canExport }: AccountParts): Html {
  return html`<p>All that is stored, as a tar file with checksums, which another instance takes in again.</p>
${canExport ? html`<form method="post" action="${addressOf(tenant, 'account/export')}">${csrfField(session)}<button class="button quiet">Download everything</button></form>` : html`<p class="soft">A download from here needs a key that may everything and that was made here. <a href="${addressOf(tenant, 'keys')}">Make one</a>, or use one of yours:</p>`}
${codeBlock({ id: 'export', title: 'Shell', code: `curl -H "Authorization: Bearer $KEY" -o ${tenant.metadata.name}.tar ${endpoint}/api/v2/export` })}`
}

function ended({ dataUntil }: AccountParts): Html {
  return card('It has ended', html`<p>${dataUntil === null ? 'What was stored is kept for the retention period.' : `What was stored is kept until ${dayWords(dataUntil)}, and destroyed after that.`} No key opens it any more: ask us if you want to take it along.</p><div class="row">${button('Get help', { href: '/support', kind: 'quiet', size: 'small' })}</div>`)
}

function closing({ session, tenant }: TenantView, { retentionDays, errors = {} }: AccountParts): Html {
  const id = tenant.metadata.name
  const paid = tenant.spec.billing?.subscription !== undefined
  return html`<p>${id} stops at once: keys open nothing any more. What is stored is kept for ${retentionDays} days and then destroyed; <a href="#export-code">take it along</a> before.</p>
${paid && html`<p>The subscription is cancelled now, and nothing is charged again. To use what is paid for to its end, cancel under <a href="${addressOf(tenant, 'billing')}">Plan and billing</a> instead.</p>`}
<form class="form" method="post" action="${addressOf(tenant, 'account/close')}">${csrfField(session)}${field({ name: 'confirm', label: `Type ${id} to confirm`, autocomplete: 'off', error: errors['confirm'], maxLength: 100 })}<button class="button danger">Close ${id} for good</button></form>`
}
