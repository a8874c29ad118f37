/** Pages for everybody beside what is sold: founders, support, the state of the parts. No tenant is named that did not agree to it. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { CatalogView } from '../../core/catalog-view.ts'
import { foundersPlan, slotsOf } from '../../core/offers.ts'
import type { Plan, Product, Tenant } from '../../core/specs.ts'
import { html, type Html } from '../html.ts'
import { badge, button, emptyState, notice, simplePage, type Tone } from './components.ts'
import type { Brand } from './layout.ts'
import { slotsBar } from './offer.ts'
import type { Pages } from './pages.ts'

export interface PublicPagesOptions {
  readonly pages: Pages
  readonly catalog: () => CatalogView
  readonly parts: () => readonly PartStatus[]
  readonly nowMs: () => number
}

export interface PartStatus {
  readonly title: string
  readonly text: string
  /** `waiting`: for something that the operator has yet to install. */
  readonly state: 'good' | 'waiting' | 'disturbed' | 'down'
}

/** The list of founders is made anew after so long: it needs a look at every tenant. */
const LIST_KEPT_MS = 5_000

export function createPublicRoutes(options: PublicPagesOptions): FastifyPluginAsync {
  const { pages, catalog, parts } = options
  const founders = createFoundersList(options)
  const brandOf = (request: FastifyRequest): Brand => pages.brand(request, pages.front(request))
  return async (app) => {
    app.get('/founders', (request, reply) => sendFounders(options, founders, request, reply))
    app.get('/support', (request, reply) => {
      const brand = brandOf(request)
      return pages.send(reply, { title: 'Support', description: `How to get help with ${brand.title}.`, brand, path: '/support', main: support(brand) })
    })
    app.get('/status', (request, reply) => pages.send(reply, { title: 'Status', description: 'The state of every part, as it is now.', brand: brandOf(request), path: '/status', main: status(parts()), refreshSeconds: 30 }))
    app.get('/favicon.ico', (request, reply) => reply.header('cache-control', 'no-cache').redirect(brandOf(request).icon, 302))
    app.get('/robots.txt', (_request, reply) => reply.type('text/plain; charset=utf-8').send('User-agent: *\nDisallow: /welcome\nDisallow: /dashboard\nDisallow: /auth/\n'))
  }

  function sendFounders({ pages: own }: PublicPagesOptions, listOf: (product: Product, plan: Plan) => readonly Founder[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const product = own.front(request)
    const plan = product && foundersPlan(catalog(), product)
    const brand = brandOf(request)
    const main = product === undefined || plan === undefined ? noFounders(brand) : foundersMain(brand, plan, listOf(product, plan))
    return own.send(reply, { title: 'Founders', description: `The first members of ${brand.title}.`, brand, path: '/founders', main })
  }

  function foundersMain(brand: Brand, plan: Plan, list: readonly Founder[]): Html {
    const slots = slotsOf(catalog(), plan)!
    const grid = html`<ul class="founders">${list.map(({ name, number }) => html`<li class="card"><span class="founder-number numbers">No. ${number}</span><strong>${name}</strong>${badge('accent', 'Founding member')}</li>`)}</ul>`
    const empty = emptyState('Nobody is listed yet', 'Founders choose in their dashboard whether their name stands here.')
    return simplePage('full', 'Founders', 'The people and teams who were there first, and agreed to be named. Thank you.', html`<div class="stack-large">
<div class="card">${slotsBar(slots)}</div>
${list.length > 0 ? grid : empty}
${slots.remaining > 0 && html`<p>${button(brand.callToAction, { href: `${brand.base}/signup`, size: 'large' })}</p>`}</div>`)
  }
}

interface Founder {
  readonly name: string
  readonly number: number
}

function createFoundersList({ catalog, nowMs }: PublicPagesOptions): (product: Product, plan: Plan) => readonly Founder[] {
  const kept = new Map<string, { readonly atMs: number; readonly list: readonly Founder[] }>()
  return (product, plan) => {
    const before = kept.get(plan.metadata.name)
    if (before !== undefined && nowMs() - before.atMs < LIST_KEPT_MS) return before.list
    const list = [...catalog().tenants()].flatMap((tenant) => founderOf(tenant, product, plan)).sort((a, b) => a.number - b.number)
    kept.set(plan.metadata.name, { atMs: nowMs(), list })
    return list
  }
}

function founderOf({ metadata, spec }: Tenant, product: Product, plan: Plan): Founder[] {
  if (spec.plan !== plan.metadata.name || spec.owner.listedAs === undefined || spec.state === 'ended') return []
  return [{ name: spec.owner.listedAs, number: Number(metadata.name.slice(product.spec.tenantId.prefix.length)) }]
}

function noFounders(brand: Brand): Html {
  return simplePage('narrow', 'Founders', undefined, emptyState('There is no founding offer', `Everybody is welcome at ${brand.title} at the same price.`, button('See the prices', { href: `${brand.base}/pricing` })))
}

function support({ support: address, community, title }: Brand): Html {
  const cards = [
    ...(address === undefined ? [] : [{ title: 'Write to us', text: 'A person reads it and answers.', link: button(address.replace(/^mailto:/, ''), { href: address }) }]),
    ...(community === undefined ? [] : [{ title: 'Ask the community', text: 'Where users of it meet, and where we read along.', link: button('Join', { href: community, kind: 'quiet' }) }]),
    { title: 'Read the guide', text: 'From a key to a memory that works, in five minutes.', link: button('Open the guide', { href: '/guide', kind: 'quiet' }) },
    { title: 'Look at the status', text: 'Whether something is wrong on our side right now.', link: button('See the status', { href: '/status', kind: 'quiet' }) },
  ]
  return simplePage('full', 'Support', `Something does not work, or you want to know something about ${title}? Choose what suits you.`, html`<div class="stack-large">
<div class="grid">${cards.map((card) => html`<section class="card plan"><h2>${card.title}</h2><p class="soft">${card.text}</p><p>${card.link}</p></section>`)}</div>
${notice('plain', 'What helps us to help you', html`<ul><li>Your tenant’s id, such as <code>user327</code>.</li><li>The answer’s <code>X-Request-Id</code>, and its <code>code</code> where it was refused.</li><li>When it happened, with your time zone.</li><li>Never your key. Nobody of us asks for it.</li></ul>`)}</div>`)
}

const WORST_FIRST = ['down', 'disturbed', 'waiting', 'good'] as const
const TONES: Readonly<Record<PartStatus['state'], readonly [Tone, string]>> = { good: ['good', 'Working'], waiting: ['plain', 'Waiting'], disturbed: ['warn', 'Disturbed'], down: ['bad', 'Not working'] }

function status(parts: readonly PartStatus[]): Html {
  const worst = WORST_FIRST.find((state) => parts.some((part) => part.state === state)) ?? 'good'
  const title = { good: 'Everything works', waiting: 'What can run here works', disturbed: 'Some instances are disturbed', down: 'A part is not working' }[worst]
  return simplePage('reading', title, 'As this moment has it. What is disturbed is being started again by itself.', html`<ul class="parts card">${parts.map(({ title: name, text, state }) => html`<li><div><strong>${name}</strong><p class="soft small">${text}</p></div>${badge(TONES[state][0], TONES[state][1], true)}</li>`)}</ul>`)
}
