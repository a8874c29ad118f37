/**
 * The page to which a buyer comes from paying: provisioning as it happens, then what is needed to begin. Whoever sees the payment page
 * knows the Checkout session's id, so it proves nothing: the key is shown to the browser that began the checkout, for a day, and to the
 * signed-in owner. The page is kept nowhere and tells no other site its address.
 */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { CatalogView } from '../../core/catalog-view.ts'
import { isFullKey, isLive } from '../../core/keys.ts'
import type { DerivedKeySpec, Product, Tenant, TenantId, Timestamp } from '../../core/specs.ts'
import type { PurchaseProgressReader, PurchaseTimes } from '../../store/purchase-progress.ts'
import type { CheckoutProof } from '../checkout-proof.ts'
import { html, type Html } from '../html.ts'
import { HttpProblem } from '../http-problem.ts'
import { button, copyButton, facts, notice, pageHead } from './components.ts'
import { openClawConfig } from './guide-examples.ts'
import type { Pages } from './pages.ts'

export interface WelcomeOptions {
  readonly pages: Pages
  readonly catalog: () => CatalogView
  readonly progress: PurchaseProgressReader
  readonly isReady: (tenant: TenantId) => boolean
  readonly proof: Pick<CheckoutProof, 'isGiven'>
  /** Somebody is signed in who owns the tenant. */
  readonly isOwner: (request: FastifyRequest, tenant: Tenant) => boolean
  readonly keyOf: (tenant: TenantId, key: DerivedKeySpec) => string
  readonly publicUrl: () => string
  readonly now: () => Date
}

type Stage =
  /** Nothing was heard of the session. */
  | { readonly kind: 'unheard' }
  | { readonly kind: 'paid' }
  /** Paid, and a person must look at it. */
  | { readonly kind: 'held' }
  | { readonly kind: 'starting'; readonly tenant: Tenant }
  | { readonly kind: 'running'; readonly tenant: Tenant }
  /** Too long ago, or no longer active: the dashboard knows. */
  | { readonly kind: 'past'; readonly tenant: Tenant | undefined }

interface View {
  readonly session: string
  readonly stage: Stage
  /** Who looks may see the key. */
  readonly mayRead: boolean
}

const SESSION = /^cs_[A-Za-z0-9_]{8,200}$/
const SHOWN_FOR_MS = 24 * 60 * 60_000
/** After so many looks the page says that it takes longer than usual, and looks less often. */
const PATIENT = 25
const TIRED = 90

export function createWelcomeRoutes(options: WelcomeOptions): FastifyPluginAsync {
  return async (app) => {
    app.get('/welcome', (request, reply) => sendWelcome(options, request, reply))
    app.get('/welcome/progress', (request, reply) => {
      const session = sessionOf(request)
      if (session === undefined) return reply.callNotFound()
      const looks = Math.min(Number(queryOf(request, 'looks')) || 0, TIRED)
      return options.pages.sendPart(reply, box(options, viewOf(options, request, session), looks + 1), { secret: true })
    })
    app.get('/welcome/openclaw', (request, reply) => sendConfig(options, request, reply))
  }
}

function queryOf({ query }: FastifyRequest, name: string): string {
  const value = (query as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : ''
}

function sessionOf(request: FastifyRequest): string | undefined {
  const session = queryOf(request, 'session')
  return SESSION.test(session) ? session : undefined
}

function stageOf({ catalog, progress, isReady, now }: WelcomeOptions, session: string): Stage {
  const { open, tenant: served } = progress.of(session)
  const id = served ?? catalog().tenantByCheckout(session)
  const tenant = id === undefined ? undefined : catalog().tenant(id)
  if (id === undefined) return open === undefined ? { kind: 'unheard' } : { kind: open.state === 'held' ? 'held' : 'paid' }
  // Committed, and not read back yet.
  if (tenant === undefined) return progress.times(id).readyAt === undefined ? { kind: 'paid' } : { kind: 'past', tenant }
  if (tenant.spec.state !== 'active' || !isRecent(tenant, now())) return { kind: 'past', tenant }
  return { kind: isReady(id) ? 'running' : 'starting', tenant }
}

function viewOf(options: WelcomeOptions, request: FastifyRequest, session: string): View {
  const stage = stageOf(options, session)
  const tenant = 'tenant' in stage ? stage.tenant : undefined
  return { session, stage, mayRead: options.proof.isGiven(request, session) || (tenant !== undefined && options.isOwner(request, tenant)) }
}

function isRecent({ spec }: Tenant, now: Date): boolean {
  const [first] = spec.keys
  return first !== undefined && now.getTime() - Date.parse(first.createdAt) < SHOWN_FOR_MS
}

function sendWelcome(options: WelcomeOptions, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { pages, catalog } = options
  const session = sessionOf(request)
  const view = session === undefined ? undefined : viewOf(options, request, session)
  const stage: Stage = view?.stage ?? { kind: 'unheard' }
  const product = 'tenant' in stage && stage.tenant !== undefined ? catalog().product(stage.tenant.spec.product) : undefined
  const brand = pages.brand(request, product ?? pages.front(request))
  const waits = view !== undefined && isUnderWay(stage)
  const main = view === undefined ? strange() : html`<div class="wrap reading page">${box(options, view, 0)}</div>`
  return pages.send(reply, { title: 'Welcome', brand, main, personal: true, live: waits, ...(waits && { refreshSeconds: 2 }) }, { secret: true, status: view === undefined ? 404 : 200 })
}

/** What was made with the purchase, and no key that took its place: whoever fears that this page's address is known rotates it. */
function boughtKey({ spec }: Tenant, now: Date): DerivedKeySpec | undefined {
  const [first] = spec.keys
  return first?.nonce !== undefined && isFullKey(first) && isLive(first, now.toISOString()) ? first : undefined
}

const isUnderWay = ({ kind }: Stage): boolean => kind === 'unheard' || kind === 'paid' || kind === 'starting'

function strange(): Html {
  return html`<div class="wrap narrow page">${pageHead('This address is not complete', 'It should end in a long code that begins with cs_. The mail that you got has a link that works.')}
<p class="row">${button('Sign in by mail', { href: '/dashboard' })}${button('Get help', { href: '/support', kind: 'quiet' })}</p></div>`
}

/** All that changes while one waits. As long as something is to come it asks for itself again. */
function box(options: WelcomeOptions, view: View, looks: number): Html {
  const { session, stage } = view
  const delay = looks < PATIENT ? '350ms' : looks < TIRED ? '1s' : '5s'
  const again = html` hx-get="/welcome/progress?session=${session}&amp;looks=${looks}" hx-trigger="load delay:${delay}" hx-swap="outerHTML"`
  return html`<div id="welcome" class="stack-large" aria-live="polite"${isUnderWay(stage) && again}>${contents(options, view, looks)}</div>`
}

function contents(options: WelcomeOptions, { session, stage, mayRead }: View, looks: number): Html {
  switch (stage.kind) {
    case 'unheard':
      return html`${pageHead('One moment', 'We are waiting to hear that your payment went through.')}${steps({}, undefined)}${looks >= PATIENT && longer()}`
    case 'paid':
      return html`${pageHead('Thank you', 'Your payment went through. Your instance is being made right now.')}${steps({ paid: true }, undefined)}${looks >= PATIENT && longer()}`
    case 'starting':
      return html`${pageHead('Thank you', 'Your instance is being started.')}${steps({ paid: true, committed: true }, options.progress.times(stage.tenant.metadata.name))}${looks >= PATIENT && longer()}`
    case 'held':
      return html`${pageHead('Thank you', 'Your payment went through, and a person has to look at it before your instance starts.')}
${notice('warn', 'Nothing is lost', html`<p>This happens when, for example, the last place was taken while you paid. You hear from us by mail: with your instance, or with your money back.</p>`)}
<p class="row">${button('Get help', { href: '/support', kind: 'quiet' })}</p>`
    case 'running':
      return mayRead ? running(options, session, stage.tenant) : runningElsewhere(options, stage.tenant)
    case 'past':
      return html`${pageHead('You are all set', 'This page shows a new instance for a day. Everything about it is in your dashboard now.')}
<p class="row">${button('Sign in to the dashboard', { href: '/dashboard', size: 'large' })}</p>`
  }
}

function longer(): Html {
  return notice('plain', 'This takes longer than usual', 'You can close this page: nothing is lost, and a mail comes as soon as your instance runs. If no payment was made, nothing will happen, and nothing is charged.')
}

/** Somebody who did not begin the checkout here: the buyer in another browser, who was sent a link to pay, or who came by the address. */
function runningElsewhere({ progress }: WelcomeOptions, { metadata }: Tenant): Html {
  return html`${pageHead('The instance is running', 'Sign in with the address you paid with to see the key. It is shown here only in the browser in which the purchase was begun.')}
<p class="row">${button('Sign in', { href: '/auth/sign-in?next=/dashboard', size: 'large' })}${button('Get help', { href: '/support', kind: 'quiet' })}</p>
${notice('warn', 'Did somebody send you the link to pay?', 'Then they can see the key that was made first. Sign in and rotate it before you store anything.')}
<section class="stack" aria-labelledby="how"><h2 id="how">How it went</h2>${steps({ paid: true, committed: true, ready: true }, progress.times(metadata.name))}</section>`
}

function running({ catalog, progress, keyOf, publicUrl, now }: WelcomeOptions, session: string, tenant: Tenant): Html {
  const { metadata, spec } = tenant
  const product = catalog().product(spec.product)
  const key = boughtKey(tenant, now())
  const hasApi = product?.spec.api !== undefined && key !== undefined
  return html`${pageHead('Your instance is running', hasApi ? 'Here is what your agents need. Copy the key to a safe place: whoever has it reads and writes your memory.' : 'Everything is set up.')}
<div class="card lifted">
${facts([
    ['Tenant', html`<code id="tenant">${metadata.name}</code>`],
    ...(spec.owner.username === undefined ? [] : [['Name', spec.owner.username] as const]),
    ['Plan', catalog().plan(spec.plan)?.spec.title ?? spec.plan],
    ...(hasApi ? [['Address', html`<span class="secret"><code id="endpoint">${endpointOf(product, tenant, publicUrl())}</code>${copyButton('endpoint')}</span>`] as const, ['Key', keyHtml(keyOf(metadata.name, key))] as const] : []),
  ])}
<p class="row">${hasApi && speaksSq(product) && button('Download the OpenClaw settings', { href: `/welcome/openclaw?session=${session}`, attributes: html` download` })}${button('Open the dashboard', { href: '/dashboard', kind: 'quiet' })}${hasApi && speaksSq(product) && button('Read the guide', { href: '/guide', kind: 'quiet' })}</p>
</div>
${notice('plain', 'You can come back to it', 'This page shows the key for a day, in this browser only. After that, or elsewhere, sign in with your e-mail address: the dashboard has it.')}
<section class="stack" aria-labelledby="how"><h2 id="how">How it went</h2>${steps({ paid: true, committed: true, ready: true }, progress.times(metadata.name))}</section>`
}

const speaksSq = ({ spec }: Product): boolean => spec.api?.path === '/api/v2/'

function endpointOf({ spec }: Product, { metadata }: Tenant, publicUrl: string): string {
  return spec.api?.hostSuffix === undefined ? publicUrl : `https://${metadata.name}.${spec.api.hostSuffix}`
}

/** Out of sight until asked for: somebody may look over a shoulder, or see a shared screen. */
function keyHtml(key: string): Html {
  return html`<details class="reveal"><summary><span class="button small quiet">Show the key</span></summary><code id="key">${key}</code></details>${copyButton('key', 'Copy the key')}`
}

interface Done {
  readonly paid?: boolean
  readonly committed?: boolean
  readonly ready?: boolean
}

function steps({ paid = false, committed = false, ready = false }: Done, times: PurchaseTimes | undefined): Html {
  const list = [
    { done: paid, title: 'Payment confirmed', text: 'Stripe told us, signed.' },
    { done: committed, title: 'Written down', text: `Your instance is a file in the repository that everything follows from${after(times?.paidAt, times?.committedAt)}.` },
    { done: ready, title: 'Running', text: `Your key opens it${after(times?.paidAt, times?.readyAt)}.` },
  ]
  const now = list.findIndex(({ done }) => !done)
  return html`<ol class="steps">${list.map(({ done, title, text }, index) => html`<li class="${done ? 'done' : index === now ? 'now' : 'coming'}"><p class="step-title">${title}${!done && index === now && html`<span class="hidden-visually"> (in progress)</span>`}</p>${done && html`<p class="soft small">${text}</p>`}</li>`)}</ol>`
}

function after(from: Timestamp | undefined, to: Timestamp | undefined): string {
  if (from === undefined || to === undefined) return ''
  return `, ${(Math.max(0, Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s after the payment`
}

function sendConfig(options: WelcomeOptions, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const session = sessionOf(request)
  const { stage, mayRead }: Pick<View, 'stage' | 'mayRead'> = session === undefined ? { stage: { kind: 'unheard' }, mayRead: false } : viewOf(options, request, session)
  const tenant = !mayRead ? undefined : stage.kind === 'running' || stage.kind === 'starting' ? stage.tenant : undefined
  const key = tenant && boughtKey(tenant, options.now())
  if (tenant === undefined || key === undefined) throw new HttpProblem({ status: 404, code: 'not-found', title: 'Not found', detail: 'There is nothing to download here. Sign in with the address you paid with: the dashboard has it.' })
  const text = openClawConfig(options.publicUrl(), options.keyOf(tenant.metadata.name, key), tenant.spec.owner.username ?? tenant.metadata.name)
  return reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', 'content-type': 'application/yaml; charset=utf-8', 'content-disposition': 'attachment; filename="openclaw-sq-memory.yaml"' }).send(text)
}
