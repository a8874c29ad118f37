/** The page on which a sandbox customer manages a subscription, as on Stripe's portal: card, plan, end, and undoing the end. */
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { changePlan } from './controls.ts'
import { parseForm, textAt } from './form.ts'
import type { PortalSession } from './objects/customer.ts'
import type { Price } from './objects/price.ts'
import { periodOf, type Subscription } from './objects/subscription.ts'
import type { OfflineDouble } from './offline-double.ts'
import { escape, formatAmount, sendPage } from './page.ts'
import { StripeRefusal } from './refusal.ts'

interface ById {
  readonly Params: { readonly id: string }
}

const OVER: ReadonlySet<string> = new Set(['canceled', 'incomplete_expired'])

export function createPortalPage(double: OfflineDouble): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
      const status = error instanceof StripeRefusal ? error.status : (error.statusCode ?? 500)
      return sendPage(reply, status, 'This cannot be done', `<p>${escape(error.message)}</p>`)
    })
    app.get<ById>('/portal/:id', (request, reply) => show(double, reply, sessionOf(double, request.params.id)))
    app.post<ById>('/portal/:id', (request, reply) => {
      const session = sessionOf(double, request.params.id)
      const form = parseForm(typeof request.body === 'string' ? request.body : '')
      act(double, session, { action: textAt(form['action']) ?? '', subscription: textAt(form['subscription']) ?? '', price: textAt(form['price']) ?? '' })
      return reply.redirect(`/portal/${session.id}`, 303)
    })
  }
}

/** As things stand now: time may have changed them. */
function sessionOf({ account, now }: OfflineDouble, id: string): PortalSession {
  account.catchUp(now())
  return account.portal.session(id)
}

function act(double: OfflineDouble, { customer }: PortalSession, { action, subscription, price }: { readonly action: string; readonly subscription: string; readonly price: string }): void {
  if (action === 'add-card') return addCard(double, customer)
  const { id } = ownOf(double, customer, subscription)
  if (action === 'cancel') return double.cancel(id, 'period-end')
  if (action === 'keep') return double.undoCancel(id)
  if (action === 'resume') return double.resume(id)
  if (action === 'change') return changePlan(double.account, id, price)
  throw new StripeRefusal(400, 'Choose one of the buttons.')
}

/** What is owed is paid with the new card at once. */
function addCard(double: OfflineDouble, customer: string): void {
  double.fixCard(customer)
  for (const { id, status } of double.subscriptions().filter((each) => each.customer === customer)) {
    if ((status === 'past_due' || status === 'unpaid') && typeof double.state.get('cycle', id)?.invoice === 'string') double.payOpenInvoice(id)
  }
}

function ownOf(double: OfflineDouble, customer: string, id: string): Subscription {
  const subscription = double.subscription(id)
  if (subscription.customer !== customer) throw new StripeRefusal(404, `No such subscription: '${id}'`)
  return subscription
}

function show(double: OfflineDouble, reply: FastifyReply, session: PortalSession): FastifyReply {
  const own = double.subscriptions().filter(({ customer }) => customer === session.customer)
  const hasCard = double.account.money.hasCard(session.customer)
  const card = form(`<button name="action" value="add-card">${hasCard ? 'Use another card' : 'Add a card'}</button>`)
  const parts = own.map((subscription) => part(double, subscription))
  const back = session.return_url === null ? '' : `<p><a href="${escape(session.return_url)}">Back</a></p>`
  return sendPage(reply, 200, 'Your billing', `${parts.join('') || '<p>There is no subscription.</p>'}${card}${back}`)
}

function part(double: OfflineDouble, subscription: Subscription): string {
  const { price, quantity = 1 } = subscription.items.data[0]!
  const end = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10)
  const rows = [
    ['Plan', titleOf(price)],
    ['Price', `${formatAmount((price.unit_amount ?? 0) * quantity, price.currency)} a ${price.recurring.interval}`],
    ['Status', subscription.status.replace('_', ' ')],
    ...(subscription.cancel_at === null ? [['Period ends', end(periodOf(subscription).end)]] : [['Ends', end(subscription.cancel_at)]]),
  ]
  const list = rows.map(([name, value]) => `<div><dt>${escape(name!)}</dt><dd>${escape(value!)}</dd></div>`).join('')
  return `<dl>${list}</dl>${OVER.has(subscription.status) ? '' : buttons(double, subscription)}`
}

function buttons(double: OfflineDouble, { id, status, cancel_at: cancelAt, items }: Subscription): string {
  const hidden = `<input type="hidden" name="subscription" value="${escape(id)}">`
  const cancel = cancelAt === null ? '<button name="action" value="cancel" class="quiet">Cancel at the end of the period</button>' : '<button name="action" value="keep">Keep the subscription</button>'
  const resume = status === 'paused' ? '<button name="action" value="resume">Resume</button>' : ''
  const present = items.data[0]!.price.lookup_key
  const others = double.account.catalogue.prices().filter(({ active, lookup_key: key, recurring }) => active && key !== null && key !== present && recurring.usage_type === 'licensed')
  const options = others.map((price) => `<option value="${escape(price.lookup_key!)}">${escape(`${titleOf(price)}, ${formatAmount(price.unit_amount ?? 0, price.currency)} a ${price.recurring.interval}`)}</option>`).join('')
  const change = options === '' ? '' : form(`${hidden}<select name="price" aria-label="Another plan">${options}</select><button name="action" value="change" class="quiet">Change the plan</button>`)
  return `${form(`${hidden}${resume}${cancel}`)}${change}`
}

function titleOf(price: Price): string {
  return price.nickname ?? price.lookup_key ?? 'a plan'
}

function form(inside: string): string {
  return `<form method="post">${inside}</form>`
}
