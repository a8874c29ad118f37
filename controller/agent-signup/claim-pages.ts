/** The page behind a trial's link: a person proves their address, takes the trial over, and pays for it. Its keys stay as they are. */
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { hidden, signInForm, type ProviderButton } from '../accounts/forms.ts'
import { formOf, textOf } from '../accounts/pages.ts'
import type { Session, Sessions } from '../accounts/port.ts'
import { isUnclaimed } from '../core/agent-trial.ts'
import type { CatalogView } from '../core/catalog-view.ts'
import { planOnSale } from '../core/purchase.ts'
import type { BillingInterval, Plan, Tenant, TenantId } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import { addressOf, networkOf } from '../web/client-network.ts'
import { html, type Html } from '../web/html.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import { button, emptyState, facts, simplePage } from '../web/pages/components.ts'
import type { Pages } from '../web/pages/pages.ts'
import { sendProblemPage, wantsPage } from '../web/pages/problem.ts'
import { trialOf } from './claim-token.ts'
import type { Trials } from './trials.ts'

export interface ClaimPagesOptions {
  readonly trials: Pick<Trials, 'claim'>
  readonly sessions: Sessions
  readonly providers: readonly ProviderButton[]
  readonly catalog: CatalogView
  readonly keyring: Pick<Keyring, 'mac'>
  readonly pages: Pages
  readonly limits: { takeLook(network: string): void }
  /** Starts paying for a tenant that is there; answers where to. @throws HttpProblem */
  readonly pay: (address: string, purchase: TrialPurchase, about: { readonly pays: TenantId }) => Promise<{ readonly url: string }>
  readonly now: () => Date
  readonly log: Logger
}

export interface TrialPurchase {
  readonly plan: string
  readonly interval: BillingInterval
  readonly email: string
}

const POST = { bodyLimit: 16 * 1024 }

export function createClaimPages(options: ClaimPagesOptions): FastifyPluginAsync {
  const { pages, limits, sessions, log } = options
  return async (parent) => {
    await parent.register(async (app) => {
      if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody, POST)
      app.setErrorHandler(
        createProblemHandler(log, (request, reply, details) => {
          if (!wantsPage(request)) return false
          sendProblemPage(pages, request, reply, details)
          return true
        }),
      )
      app.addHook('onRequest', async (request) => limits.takeLook(networkOf(addressOf(request))))
      app.addHook('preHandler', async (request) => {
        if (request.method === 'POST') sessions.checkCsrf(request)
      })
      addRoutes(app, options)
    })
  }
}

function addRoutes(app: FastifyInstance, options: ClaimPagesOptions): void {
  const { trials, sessions, catalog, pages, providers, pay } = options

  function send(request: FastifyRequest, reply: FastifyReply, tenant: Tenant, main: Html): FastifyReply {
    const product = catalog.product(tenant.spec.product)
    return pages.send(reply, { title: 'Your agent has begun a trial', brand: pages.brand(request, product), main: simplePage('narrow', 'Your agent has begun a trial', undefined, html`${factsOf(tenant, product?.spec.title)}${main}`), personal: true })
  }

  /** Signed in with an address that is proved. */
  const personOf = (request: FastifyRequest): Session | undefined => {
    const session = sessions.of(request)
    return session?.emailVerified === true ? session : undefined
  }

  app.get<{ Querystring: Readonly<Record<string, unknown>> }>('/claim', (request, reply) => {
    const token = textOf(request.query['token'])
    const tenant = open(options, token, personOf(request))
    const session = personOf(request)
    if (session === undefined) return send(request, reply, tenant, html`<p>To take it over, say where we reach you: you get a link by mail.</p>${signInForm({ email: '', next: `/claim?token=${token}` }, providers)}`)
    if (isUnclaimed(tenant, options.now().toISOString())) return send(request, reply, tenant, claimForm(token, session))
    return send(request, reply, tenant, payForms(token, tenant, session, catalog))
  })
  app.post('/claim', POST, async (request, reply) => {
    const token = textOf(formOf(request)['token'])
    const session = personOf(request)
    if (session === undefined) return reply.redirect(`/claim?token=${encodeURIComponent(token)}`, 303)
    const tenant = open(options, token, session)
    const outcome = await trials.claim(tenant.metadata.name, session.email)
    if (outcome !== 'claimed') throw gone()
    return reply.redirect(`/claim?token=${token}`, 303)
  })
  app.post('/claim/pay', POST, async (request, reply) => {
    const { token, plan, interval } = formOf(request)
    const session = personOf(request)
    if (session === undefined) return reply.redirect(`/claim?token=${encodeURIComponent(textOf(token))}`, 303)
    const tenant = open(options, token, session)
    if (!isOf(tenant, session)) throw gone()
    const { url } = await pay(addressOf(request), { plan: textOf(plan), interval: textOf(interval) as BillingInterval, email: session.email }, { pays: tenant.metadata.name })
    return reply.redirect(url, 303)
  })
}

/** The trial, where nobody has claimed it or this person has. @throws HttpProblem 404, alike for all that this person cannot have. */
function open({ keyring, catalog, now }: ClaimPagesOptions, token: unknown, session: Session | undefined): Tenant {
  const tenant = trialOf(token, keyring, catalog)
  if (tenant === undefined) throw gone()
  if (isUnclaimed(tenant, now().toISOString()) || (session !== undefined && isOf(tenant, session))) return tenant
  throw gone()
}

const isOf = ({ spec }: Tenant, { email }: Session): boolean => spec.owner.email.toLowerCase() === email

function gone(): HttpProblem {
  return new HttpProblem({ status: 404, code: 'trial-unknown', title: 'No such trial', detail: 'This link opens no trial: it has ended, or somebody claimed it already. If that was you, sign in and look into your dashboard.' })
}

function factsOf({ metadata, spec }: Tenant, title: string | undefined): Html {
  return facts([
    ['Product', title ?? spec.product],
    ['Instance', metadata.name],
    ['Ends', html`<time datetime="${spec.trial!.endsAt}">${spec.trial!.endsAt.slice(0, 10)}</time>`],
  ])
}

function claimForm(token: string, { email, csrf }: Session): Html {
  return html`<form method="post" action="/claim">${hidden('csrf', csrf)}${hidden('token', token)}<p>You are signed in as <strong>${email}</strong>.</p><div class="row">${button('This trial is mine')}</div></form>
<p>The key that your agent has stays as it is. Take over what your own agent began, and nothing else: whoever gave you the link may have its key, and reads all that you store until you revoke it.</p>`
}

/** Until it is paid for it ends with its trial. */
function payForms(token: string, tenant: Tenant, { csrf }: Session, catalog: CatalogView): Html {
  const offers = plansFor(tenant, catalog).flatMap((plan) => (Object.entries(plan.spec.prices) as [BillingInterval, { amount: number; currency: string }][]).map(([interval, price]) => ({ plan, interval, price })))
  const forms = offers.map(
    ({ plan, interval, price }) =>
      html`<form method="post" action="/claim/pay">${hidden('csrf', csrf)}${hidden('token', token)}${hidden('plan', plan.metadata.name)}${hidden('interval', interval)}${button(`${plan.spec.title}: ${(price.amount / 100).toFixed(2)} ${price.currency.toUpperCase()} a ${interval}`)}</form>`,
  )
  return html`<p>It is yours. <a href="/dashboard">Open the dashboard</a>.</p>
${forms.length === 0 ? emptyState('Nothing to pay for', 'No plan of this product is on sale right now.') : html`<p>To keep it when the trial ends, choose a plan. Key and data stay.</p><div class="row">${forms}</div>`}`
}

/** What is on sale of the product; the trial's own plan first. */
function plansFor({ spec }: Tenant, catalog: CatalogView): Plan[] {
  const own = (plan: Plan): number => (plan.metadata.name === spec.plan ? 0 : 1)
  return [...catalog.plans()]
    .filter((plan) => plan.spec.product === spec.product && plan.spec.unlisted !== true && Object.keys(plan.spec.prices).length > 0)
    .filter((plan) => plan.metadata.name === spec.plan || planOnSale(plan, (name) => catalog.plan(name), (name) => catalog.slotsTaken(name)) === plan)
    .sort((a, b) => own(a) - own(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
}
