/** An offer as HTML: the live bar of claimed places, and plans side by side. */
import { leadingOffer, type Offer, type Slots } from '../../core/offers.ts'
import { html, type Html } from '../html.ts'
import { badge, button, progressBar } from './components.ts'
import type { Brand } from './layout.ts'
import { count, money, monthsSaved, PER, planLines } from './words.ts'

const STREAM = '/api/founding-progress/stream'

/** The price now, what it is normally, and how many places are left. The numbers move while the page is open. */
export function offerBox(offer: Offer): Html {
  return html`<div class="offer">${offer.slots !== undefined && slotsBar(offer.slots)}${priceLine(offer)}</div>`
}

export function slotsBar({ claimed, total, remaining }: Slots): Html {
  return html`<div class="slots" data-progress="${STREAM}"><p class="spread"><strong class="numbers"><span data-part="claimed">${claimed}</span> of <span data-part="total">${total}</span> founder places claimed</strong>
<span class="soft numbers" data-when="left"${remaining === 0 && html` hidden`}>Only <span data-part="remaining">${remaining}</span> left</span><span class="soft" data-when="gone"${remaining > 0 && html` hidden`}>All claimed</span></p>
${progressBar('Founder places claimed', claimed, total)}</div>`
}

function priceLine({ plan, later }: Offer): Html | false {
  const { month, year } = plan.spec.prices
  const price = month ?? year
  if (price === undefined) return false
  const interval = month === undefined ? 'year' : 'month'
  const normally = later?.spec.prices[interval]
  return html`<p class="price"><b class="numbers">${money(price)}</b> ${PER[interval]}${normally !== undefined && normally.amount > price.amount && html` <span class="was">normally ${money(normally)}</span>`}${month !== undefined && year !== undefined && html`<span class="soft">, or ${money(year)} a year</span>`}</p>`
}

export function plansGrid(offers: readonly Offer[], brand: Brand): Html {
  const leading = offers.length > 1 ? leadingOffer(offers) : undefined
  return html`<div class="plans">${offers.map((offer) => planCard(offer, brand, offer === leading))}</div>`
}

function planCard(offer: Offer, brand: Brand, chosen: boolean): Html {
  const { plan, slots } = offer
  const { name } = plan.metadata
  const saved = monthsSaved(plan)
  const free = Object.keys(plan.spec.prices).length === 0
  return html`<article class="card plan${chosen ? ' chosen' : ''}" aria-labelledby="plan-${name}">
<div class="card-head"><h3 id="plan-${name}">${shortTitle(plan.spec.title, brand.title)}</h3>${slots !== undefined && badge('accent', `${count(slots.remaining)} of ${count(slots.total)} left`)}</div>
${plan.spec.summary !== undefined && html`<p class="soft">${plan.spec.summary}</p>`}
${free ? html`<p class="price"><b>Free</b></p>` : priceLine(offer)}
${saved > 0 && html`<p class="soft small">Paid yearly, ${saved} ${saved === 1 ? 'month is' : 'months are'} free.</p>`}
<ul class="ticks">${planLines(plan).map((line) => html`<li>${line}</li>`)}</ul>
${free ? button('Ask for it', { href: '/support', kind: 'quiet' }) : button(plan.spec.trialDays === undefined ? 'Choose this plan' : `Try ${plan.spec.trialDays} days free`, { href: `${brand.base}/signup?plan=${encodeURIComponent(name)}`, ...(!chosen && { kind: 'quiet' as const }), attributes: html` aria-describedby="plan-${name}"` })}
</article>`
}

/** `SQ Cloud Founder` is `Founder` on the pages of SQ Cloud, and `ContextLite Pro` is `Pro` on those of ContextLite Cloud. */
export function shortTitle(plan: string, product: string): string {
  const said = [product, product.replace(/ Cloud$/, '')].find((start) => plan.startsWith(`${start} `))
  return said === undefined ? plan : plan.slice(said.length + 1)
}
